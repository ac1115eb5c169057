"""Words, near duplicates and repetition of docs/formats/dataset.md, from that page."""
import re

import xxhash

# Code points as the page lists them: first-last in hexadecimal.
SEPARATORS = """80-a9 ab-b4 b6-b9 bb-bf d7 f7 2b0-2ff 37e 387 55a-55f 589-58f 5be 5c0 5c3 5f3-5f4 60c-60d 61b-61f 66a-66d 6d4
    964-965 970 e2f e3f e4f e5a-e5b 1361-1368 1680 1800-180e 2000-20cf 2100-2bff 2e00-2e7f 3000-3004 3007-3020 3030 303d-303f
    30fb e000-f8ff fe10-fe6f feff ff00-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffff 1f000-1faff e0000-10ffff"""
SINGLES = "e00-eff 1000-109f 1780-17ff 3005-3006 3021-3029 3040-30ff 3400-4dbf 4e00-9fff f900-faff 20000-3ffff"
CAPITALS = """41-5a+20 c0-d6+20 d8-de+20 100-12f:even 132-137:even 139-148:odd 14a-177:even 178=ff 179-17e:odd 386+26 388-38a+25
    38c+40 38e-38f+3f 391-3a1+20 3a3-3ab+20 400-40f+50 410-42f+20 460-481:even 48a-4bf:even 4c1-4ce:odd 4d0-52f:even 531-556+30
    1e00-1e95:even 1ea0-1eff:even ff21-ff3a+20"""
PRIME, HASHES, BUCKET, ALIKE = 2**61 - 1, 112, 8, 81


def ranges(table):
    for item in table.split():
        first, _, last = item.partition("-")
        yield range(int(first, 16), int(last or first, 16) + 1)


def small_letters():
    small = {}
    for item in CAPITALS.split():
        first, last, rule, number = re.fullmatch("([0-9a-f]+)(?:-([0-9a-f]+))?([+=]|:even|:odd)([0-9a-f]*)", item).groups()
        for c in range(int(first, 16), int(last or first, 16) + 1):
            if rule in ("+", "="):
                small[c] = int(number, 16) + (c if rule == "+" else 0)
            elif c % 2 == (rule == ":odd"):
                small[c] = c + 1
    return small


SMALL = small_letters()
IS_SEPARATOR, IS_SINGLE = list(ranges(SEPARATORS)), list(ranges(SINGLES))


def is_letter(c):
    if c < 0x80:
        return chr(c).isalnum()
    return not any(c in part for part in IS_SEPARATOR)


def words_of(text):
    """The words of a text, each a text of its own."""
    words, word = [], ""
    for sign in text:
        c = ord(sign)
        single = any(c in part for part in IS_SINGLE)
        if (single or not is_letter(c)) and word:
            words.append(word)
            word = ""
        if is_letter(c) and single:
            words.append(sign)
        elif is_letter(c):
            word += chr(SMALL.get(c, c))
    return words + [word] if word else words


def encoded(words):
    """Code points in four bytes each, little-endian, a space behind each word."""
    return "".join(word + " " for word in words).encode("utf-32-le")


# --- near duplicates -------------------------------------------------------------------------------


def signature(words):
    """The 112 minima over the shingles."""
    if len(words) >= 20:
        shingles = {encoded(words[i:i + 5]) for i in range(len(words) - 4)}
    else:
        signs = " ".join(words)
        shingles = {signs[i:i + 5].encode("utf-32-le") for i in range(max(len(signs) - 4, 1))}
    values = [xxhash.xxh64_intdigest(shingle) % PRIME for shingle in shingles]
    number = lambda n: xxhash.xxh64_intdigest(n.to_bytes(8, "little"))
    out = []
    for i in range(HASHES):
        a, b = 1 + number(2 * i) % (PRIME - 1), number(2 * i + 1) % PRIME
        out.append(min((a * x + b) % PRIME % 2**32 for x in values))
    return out


def joined_pairs(signatures):
    """(earlier, later) of those that are joined; `signatures` by id."""
    first, pairs = {}, set()
    for identity in sorted(signatures):
        mine = signatures[identity]
        for at in range(0, HASHES, BUCKET):
            other = first.setdefault((at, *mine[at:at + BUCKET]), identity)
            if other != identity and sum(a == b for a, b in zip(mine, signatures[other])) >= ALIKE:
                pairs.add((other, identity))
    return pairs


# --- repetition ------------------------------------------------------------------------------------


def repeated_parts(parts):
    parts = [part.strip(" \t\r\n\v\f") for part in parts]
    parts = [part for part in parts if part]
    seen, count, size = set(), 0, 0
    for part in parts:
        if part in seen:
            count, size = count + 1, size + len(part.encode())
        seen.add(part)
    return 100 * count > 30 * len(parts) or 100 * size > 20 * sum(len(part.encode()) for part in parts)


def heaviest(words, n):
    """The signs of the n-gram that occurs more than once and has most of them, all its occurrences together."""
    counts = {}
    for i in range(len(words) - n + 1):
        gram = tuple(words[i:i + n])
        counts[gram] = counts.get(gram, 0) + 1
    return max((count * len("".join(gram)) for gram, count in counts.items() if count > 1), default=0)


def occurred_before(words, n):
    """The signs of the n-grams that occurred before, read from the left; after one goes on behind it."""
    seen, i, signs = set(), 0, 0
    while i + n <= len(words):
        gram = tuple(words[i:i + n])
        if gram in seen:
            signs += len("".join(gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return signs


def repeats_itself(answer):
    """The rule that says so, or None."""
    words = words_of(answer)
    if len(words) < 50:
        return None
    if repeated_parts(answer.split("\n")):
        return "lines"
    if repeated_parts(answer.split("\n\n")):
        return "paragraphs"
    signs = sum(map(len, words))
    for n, percent in ((2, 20), (3, 18), (4, 16)):
        if 100 * heaviest(words, n) > percent * signs:
            return f"top-{n}-gram"
    for n, percent in zip(range(5, 11), (15, 14, 13, 12, 11, 10)):
        if 100 * occurred_before(words, n) > percent * signs:
            return f"duplicate-{n}-gram"
    return None
