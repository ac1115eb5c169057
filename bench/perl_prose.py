"""Prose that people wrote: the documentation inside of Perl 5.36's own modules, as Debian 12 has it (package perl-modules-5.36,
which git needs; licence Artistic or GPL-1+). It is of 2022 and before, when no model wrote such text."""

import hashlib
import re
from pathlib import Path

FOLDER = Path("/usr/share/perl/5.36.0")
BLOCK = re.compile(r"^=(?!cut)[a-z]\w*.*?(?=^=cut|\Z)", re.M | re.S)
CODE = re.compile(r"[A-Z]<+\s?([^<>|]*?)(?:\|[^<>]*)?\s?>+")  # B<bold>, L<text|place>
SENTENCE = re.compile(r"(?:^|(?<=[.!?]\s))[A-Z][^.!?]{30,300}[.!?](?=\s|$)")
HELD_OUT = 10  # one of so many files


def sentences(text):
    for block in BLOCK.findall(text):
        for paragraph in re.split(r"\n\s*\n", block):
            if paragraph.startswith((" ", "\t", "=")):
                continue
            for _ in range(3):  # they stand in one another
                paragraph = CODE.sub(r"\1", paragraph)
            yield from SENTENCE.findall(" ".join(paragraph.split()))


def documents():
    """(to learn from, held out): the sentences of a file, each sentence once in all, as a line. Whole files are held out."""
    if not FOLDER.is_dir():
        raise SystemExit(f"bench: {FOLDER} is not there: apt install perl-modules-5.36")
    parts, seen = ([], []), set()
    for path in sorted(FOLDER.rglob("*.p[mo]*")):
        name = str(path.relative_to(FOLDER))
        found = [one for one in dict.fromkeys(sentences(path.read_text(errors="replace"))) if one not in seen]
        seen.update(found)
        if found:
            held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % HELD_OUT == 0
            parts[held_out].append(" ".join(found))
    return parts
