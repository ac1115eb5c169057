"""A data set out of a node's log the straight way: what one writes in an afternoon with cbor2, numpy and xxhash.

    straight.py LEDGER FOLDER

LEDGER: the folder with log/ and ledger.db. Reads the records from the log's entry bundles and their texts from the database.

Writes sft, kto, dpo, text and dropped.jsonl by the rules of docs/formats/dataset.md, for all records and profile own: retracted
records, those whose answer repeats itself, those that were edited, exact and near duplicates, and those outside the scope of
their split fall out. It believes what it reads: no signature, tree, commitment or encoding is checked, and nothing is kept
with which another could check. Its words are those of Python's `re`, and its MinHash has the arithmetic that numpy has (64 bits,
as in datasketch) in place of 128 bits, so that some lines in a thousand differ. One process, one thread.
"""

import base64
import hashlib
import json
import re
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import cbor2
import numpy
import xxhash

DATA, EDIT, VOTE, RETRACTION = 1, 2, 3, 9
LICENCES = {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0", "Apache-2.0"}
WORD = re.compile(r"[^\W_]+")
SHINGLE, SHORT = 5, 20
BUCKETS, BUCKET = 14, 8
AGREE = 81  # of 112
PRIME, LOW = numpy.uint64((1 << 61) - 1), numpy.uint64(0xFFFFFFFF)
A, B = numpy.random.default_rng(1).integers(1, PRIME, (2, BUCKETS * BUCKET), dtype=numpy.uint64)


def sha256(data):
    return hashlib.sha256(data).digest()


def text_id(digest):
    return "loam1" + base64.b32encode(digest).decode().lower().rstrip("=")


def entries(log, size):
    """The records of the log, in its order."""
    for first in range(0, size, 256):
        number, width = f"{first // 256:09d}", min(256, size - first)
        path = re.sub(r"^(x000/)+", "", f"x{number[:3]}/x{number[3:6]}/{number[6:]}")
        bundle = (log / "tile/entries" / (path if width == 256 else f"{path}.p/{width}")).read_bytes()
        at = 0
        while at < len(bundle):
            end = at + 2 + int.from_bytes(bundle[at:at + 2], "big")
            yield bundle[at + 2:end]
            at = end


def words_of(text):
    return WORD.findall(text.lower())


def minhash(words):
    pieces = words if len(words) >= SHORT else " ".join(words)
    join = " ".join if len(words) >= SHORT else str
    shingles = {join(pieces[i:i + SHINGLE]) for i in range(max(1, len(pieces) - SHINGLE + 1))}
    hashes = numpy.fromiter((xxhash.xxh64_intdigest(one.encode()) for one in shingles), numpy.uint64, len(shingles)) & LOW
    return ((hashes[:, None] * A + B) % PRIME & LOW).astype(numpy.uint32).min(axis=0)


def repeats_parts(parts):
    parts = [part.strip() for part in parts if part.strip()]
    lost = Counter(parts)
    lost.subtract(set(parts))
    return (lost.total() * 100 > len(parts) * 30
            or sum(len(part.encode()) * times for part, times in lost.items() if times) * 100
            > sum(len(part.encode()) for part in parts) * 20)


def top(words, n):
    grams = Counter(zip(*(words[i:] for i in range(n))))
    return max((sum(map(len, gram)) * count for gram, count in grams.items() if count > 1), default=0)


def duplicate(words, n):
    seen, at, signs = set(), 0, 0
    while at + n <= len(words):
        gram = tuple(words[at:at + n])
        if gram in seen:
            signs += sum(map(len, gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return signs


def repetition(text):
    """The rule that an answer breaks, or None."""
    words = words_of(text)
    if len(words) < 50:
        return None
    for name, parts in (("lines", text.split("\n")), ("paragraphs", text.split("\n\n"))):
        if repeats_parts(parts):
            return name
    signs = sum(map(len, words))
    for n, most in ((2, 20), (3, 18), (4, 16)):
        if top(words, n) * 100 > signs * most:
            return f"top-{n}-gram"
    for n, most in zip(range(5, 11), range(15, 9, -1)):
        if duplicate(words, n) * 100 > signs * most:
            return f"duplicate-{n}-gram"
    return None


class Record:
    def __init__(self, entry):
        self.digest = sha256(entry)
        self.header = header = cbor2.loads(cbor2.loads(entry)[2])
        self.kind, self.author, self.time = header[2], header[4], header[6]
        self.refs = header.get(9, ())
        self.retracted, self.up, self.down, self.dropped, self.original = False, 0, 0, None, None

    def read_body(self, database):
        self.body = cbor2.loads(database.execute("SELECT body FROM bodies JOIN records USING (place) WHERE id = ?", (self.digest,)).fetchone()[0])
        self.messages, self.answer = self.body["messages"], self.body["messages"][-1]

    def rank(self, seed):
        return 0 if self.kind == EDIT else 1 if self.label else 2, sha256(seed + self.digest)

    def question(self):
        return tuple((message["role"], message["content"]) for message in self.messages[:-1])

    def drop(self, reason, **more):
        self.dropped = {"id": self.id, "reason": reason, **more}


def read(log, size):
    """All records that have a text, and the state that the others give them."""
    records = {}
    votes = {}
    for entry in entries(log, size):
        record = Record(entry)
        records[record.digest] = record
        if record.kind == RETRACTION:
            records[record.refs[0]].retracted = True
        elif record.kind == VOTE:
            votes[record.refs[0], record.author] = record
    for (target, _), vote in votes.items():
        value = cbor2.loads(vote.header[13])[1]
        if not vote.retracted and target in records:
            records[target].up += value > 0
            records[target].down += value < 0
    return records, sorted((one for one in records.values() if one.kind in (DATA, EDIT)), key=lambda one: one.digest)


def judge(record, records, database):
    """What one text alone decides."""
    record.id, record.label = text_id(record.digest), (record.up > record.down) - (record.up < record.down)
    header = record.header
    if record.retracted or (record.kind == EDIT and record.refs[0] in records and records[record.refs[0]].retracted):
        return record.drop("retracted")
    if 11 not in header or header[10] not in LICENCES:
        return record.drop("no-consent")
    record.read_body(database)
    if len(record.messages) < 2 or record.answer["role"] != "assistant" or not WORD.search(record.answer["content"]):
        return record.drop("no-answer")
    if record.answer["origin"] in ("model", "unknown") and (rule := repetition(record.answer["content"])):
        return record.drop("repetition", rule=rule)
    record.minhash = minhash([word for message in record.messages for word in words_of(message["content"])])


def drop_superseded(candidates, records):
    for edit in [one for one in candidates if one.kind == EDIT and not one.dropped]:
        original = records.get(edit.refs[0])
        if original is None:
            continue
        if not original.dropped or original.dropped["reason"] not in ("retracted", "no-consent"):
            same = original.question() == edit.question() and original.answer["content"] != edit.answer["content"]
            edit.original = original if same else None
        if not original.dropped:
            original.drop("superseded", of=edit.id)


def drop_duplicates(left, seed):
    parent = list(range(len(left)))

    def root(at):
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    for bucket in range(0, BUCKETS * BUCKET, BUCKET):
        first_with = {}
        for at, one in enumerate(left):
            other = first_with.setdefault(one.minhash[bucket:bucket + BUCKET].tobytes(), at)
            if other != at and numpy.count_nonzero(left[other].minhash == one.minhash) >= AGREE:
                a, b = root(at), root(other)
                parent[max(a, b)] = min(a, b)
    best = {}
    for at, one in enumerate(left):
        group = root(at)
        if group not in best or one.rank(seed) < best[group].rank(seed):
            best[group] = one
    for at, one in enumerate(left):
        winner = best[root(at)]
        if winner is not one:
            same = winner.question() == one.question() and winner.answer["content"] == one.answer["content"]
            one.drop("duplicate" if same else "near-duplicate", of=winner.id)


def split(record, seed):
    asked = next((message for message in record.messages if message["role"] == "user"), record.messages[0])
    key = sha256("".join(word + " " for word in words_of(asked["content"])).encode("utf-32-le"))
    drawn = int.from_bytes(sha256(seed + key)[:8], "big") % 100
    return "eval" if drawn < 5 else "gate" if drawn < 10 else "train"


def take_rows(candidates, seed):
    for one in candidates:
        if not one.dropped:
            one.split = split(one, seed)
            if not one.header[15] & (1 if one.split == "train" else 2):
                one.drop("scope")
    return [one for one in candidates if not one.dropped]


def worse_answers(rows):
    bad = {}
    for row in reversed(rows):
        if row.label < 0:
            bad.setdefault(row.question(), []).append(row)
    for row in rows:
        if row.label > 0 and bad.get(row.question()):
            yield row, bad[row.question()].pop()


def plain(messages):
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def lines(rows):
    """(view, row, own members), each view's in the order of the rows."""
    pairs = [(row, row.original) for row in rows if row.original and row.label >= 0] + list(worse_answers(rows))
    for row, worse in sorted(pairs, key=lambda pair: pair[0].digest):
        yield "dpo", row, {"prompt": plain(row.messages[:-1]), "chosen": plain([row.answer]),
                           "rejected": plain([worse.answer]), "rejected_id": worse.id}
    for row in rows:
        if row.label:
            yield "kto", row, {"prompt": plain(row.messages[:-1]), "completion": plain([row.answer]), "label": row.label > 0}
        if row.label >= 0:
            yield "sft", row, {"messages": plain(row.messages)}
            yield "text", row, {"text": "\n\n".join(message["content"] for message in row.messages)}


def write(rows, candidates, folder):
    def line(members):
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"

    folder.mkdir()
    files = {name: (folder / f"{name}.jsonl").open("w", encoding="utf-8") for name in ("sft", "kto", "dpo", "text", "dropped")}
    for view, row, own in lines(rows):
        files[view].write(line({"id": row.id, "split": row.split, "model": row.body["model"], "lang": row.body["lang"],
                                "licence": row.header[10], "author": row.author.hex(), "origin": row.answer["origin"],
                                "rating": row.up - row.down, "depth": 0 if row.answer["origin"] in ("human", "mixed") else 1,
                                "time": row.time, **own}))
    for one in candidates:
        if one.dropped:
            files["dropped"].write(line(one.dropped))
    for file in files.values():
        file.close()


def main():
    ledger, folder = map(Path, sys.argv[1:])
    log, database = ledger / "log", sqlite3.connect(f"file:{ledger / 'ledger.db'}?mode=ro", uri=True)
    _, size, root = (log / "checkpoint").read_text().split("\n")[:3]
    seed = sha256(b"loam.split.v1" + base64.b64decode(root))
    records, candidates = read(log, int(size))
    for record in candidates:
        judge(record, records, database)
    drop_superseded(candidates, records)
    drop_duplicates([one for one in candidates if not one.dropped], seed)
    write(take_rows(candidates, seed), candidates, folder)


if __name__ == "__main__":
    main()
