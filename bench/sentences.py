"""Real sentences to make conversations of: the prose of the pinned sources, so that all machines have the same."""

import re

CODE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
MARKUP = re.compile(r"<[^>]*>|!?\[([^\]]*)\]\([^)]*\)|[*_`|]+")
SENTENCE = re.compile(r"(?:^|(?<=[.!?]\s))[A-Z][^.!?\n]{30,300}[.!?](?=\s|$)", re.M)


def sentences(folders):
    """Each once, in the order of the files' names below `folders`."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.md")):
            text = MARKUP.sub(lambda match: match[1] or "", CODE.sub("", path.read_text(errors="replace")))
            paragraphs = re.sub(r"(?<!\n)\n(?![\n#>*+-])", " ", text)
            for sentence in SENTENCE.findall(paragraphs):
                found.setdefault(" ".join(sentence.split()))
    return list(found)
