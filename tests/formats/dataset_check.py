#!/usr/bin/env python3
"""A verifier of docs/formats/dataset.md, written from that page, on cbor2, cryptography and xxhash.

    dataset_check.py FOLDER --key VKEY... [--from LOG...]   checks the data set in FOLDER, made of the logs with these keys
    dataset_check.py ROOTS.JSON                             checks the vectors in src/dataset/testdata/roots.json

Prints one line, and exits 1 with the reason if anything is wrong. It rebuilds manifest, views and roots from the logs and
bodies in the folder and compares them byte for byte, for profile `own`. What rests on texts that are not there it counts
as claims. LOG is a copy of a log, a folder with `body/ID`: with the texts of all logs nothing is a claim, and every reason must
be the one that follows. What is not under the root (README.md, Croissant, containers) it does not read.
"""
import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import cbor2

import record_check
from dataset_query import Query
from dataset_select import Selection
from dataset_text import encoded, joined_pairs, repeats_itself, signature, words_of
from record_check import KINDS, Fault, check_body, check_commitment, from_base64, id_text, parse_id, require

LICENCES = {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODC-By-1.0", "Apache-2.0"}
REASONS = ["retracted", "no-consent", "no-body", "bad-body", "query", "no-answer", "repetition", "superseded", "duplicate",
           "near-duplicate", "author-cap", "scope"]
NAMES_ANOTHER = {"superseded", "duplicate", "near-duplicate"}
RULES = ["lines", "paragraphs", *(f"top-{n}-gram" for n in (2, 3, 4)), *(f"duplicate-{n}-gram" for n in range(5, 11))]
FILES = ["sft.jsonl", "kto.jsonl", "dpo.jsonl", "text.jsonl", "dropped.jsonl", "bodies.jsonl"]


def as_json(value, indent=None):
    """As the page writes it: of the short escapes only those of quote, backslash, newline, return and tab."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=(",", ": " if indent else ":")) + "\n"
    return re.sub(r"(\\\\)|\\([bf])", lambda found: found[1] or {"b": r"\u0008", "f": r"\u000c"}[found[2]], text).encode()


def as_page(value):
    return as_json(value, indent=2)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def is_hex(value, size):
    return type(value) is str and re.fullmatch("[0-9a-f]{%d}" % (2 * size), value)


def tree(leaves):
    return record_check.tree_root([record_check.leaf_hash(leaf) for leaf in leaves])


def roots_of(rows, used, manifest_sha256):
    """rows_root, used_root, dataset_root of the bytes of rows, by id, and of sorted ids."""
    of_rows, of_used = tree(rows), tree(used)
    return of_rows, of_used, sha256(b"loam.dataset.v1", of_rows, of_used, manifest_sha256)


class Record:
    """An entry of kind data or edit, with what the other entries say of it, and its text if that is there."""

    def __init__(self, identity, header, votes, writer):
        self.id, self.header, self.body, self.is_row = identity, header, None, False
        self.kind, self.author, self.writer = KINDS[header[2]][0], header[4], writer
        self.original = header[9][0] if self.kind == "edit" else None
        self.votes = sorted(identity for identity, _ in votes)
        values = [value for _, value in votes]
        self.up, self.down = values.count(1), values.count(-1)
        self.rating = self.up - self.down
        self.label = (self.rating > 0) - (self.rating < 0)
        self.scope = [name for bit, name in ((1, "train"), (2, "eval")) if header[15] & bit]
        self.facts = {"kind": self.kind, "licence": header[10], "author": self.author, "rating": self.rating,
                      "votes": self.up + self.down, "time": header[6], "scope": self.scope, "models": header.get(12, [])}

    def give(self, salt, body):
        check_commitment(self.header, salt, body)
        check_body(body)
        self.body = cbor2.loads(body)
        if not re.fullmatch("[A-Za-z0-9-]{1,35}", self.body["lang"]):
            self.body["lang"] = "und"
        self.messages = self.body["messages"]
        self.words = [word for message in self.messages for word in words_of(message["content"])]

    def answer(self):
        return self.messages[-1]

    def texts(self):
        """Roles and contents: what counts when messages are the same."""
        return [shown(message) for message in self.messages]

    def question(self):
        return self.texts()[:-1]

    def split(self, seed):
        asked = next((message for message in self.messages if message["role"] == "user"), self.messages[0])
        drawn = int.from_bytes(sha256(seed, sha256(encoded(words_of(asked["content"]))))[:8], "big") % 100
        return "eval" if drawn < 5 else "gate" if drawn < 10 else "train"

    def fits_split(self, seed):
        return ("train" if self.split(seed) == "train" else "eval") in self.scope

    def better(self, seed):
        """The better of two has the lower one."""
        return (0 if self.kind == "edit" else 1 if self.label else 2, sha256(seed, self.id))


def salt_and_body(members):
    salt, body = members["salt"], members["body"]
    require(type(salt) is str and type(body) is str, "salt and body are no texts")
    salt, body = from_base64(salt), from_base64(body)
    require(len(salt) == 32, "a salt that is not of 32 bytes")
    return salt, body


def shown(message):
    return {"role": message["role"], "content": message["content"]}


# --- the logs --------------------------------------------------------------------------------------


def read_log(folder, key):
    """(size, root, state) of a log copy."""
    def bundle_of(number, width):
        path = folder / "tile" / "entries" / (record_check.grouped(number) + ("" if width == 256 else f".p/{width}"))
        entries = record_check.split_bundle(path, path.read_bytes(), width)
        expected.add(path)
        return entries

    expected = {folder / "checkpoint"}
    size, root = record_check.open_checkpoint((folder / "checkpoint").read_bytes(), key)
    state, _ = record_check.read_entries(bundle_of, size, root, key)
    found = {path for path in folder.rglob("*") if path.is_file()}
    require(found == expected, f"{folder}: files that are no part of the log copy")
    return size, root, state


def retracted_in(states):
    """All ids that are retracted, over all logs."""
    out = set()
    for state in states:
        for header in state.records.values():
            if KINDS[header[2]][0] != "retraction":
                continue
            for other in states:
                target = other.records.get(header[9][0])
                if target and (other is state or other.speaks_for(header[4], target[4])):
                    out.add(header[9][0])
    return out


def writer_of(state, key):
    """The first key of the succession that `key` belongs to in one log."""
    while predecessor := state.authors.get(key, {}).get("predecessor"):
        key = predecessor
    return key


def votes_in(states, retracted):
    """By the id of what is rated: (id, value) of the last vote of each voter that was not retracted."""
    newest = {}
    for state in states:
        for identity, header in state.records.items():
            if KINDS[header[2]][0] == "vote" and identity not in retracted:
                value = record_check.decode_payload("vote", header[13])[1]
                newest.setdefault(header[9][0], {})[writer_of(state, header[4])] = (identity, value)
    return {target: list(votes.values()) for target, votes in newest.items()}


# --- the data set ----------------------------------------------------------------------------------


class DataSet:
    def __init__(self, folder, keys):
        self.folder = folder
        self.manifest_bytes = self.read("manifest.json")
        self.manifest = self.json_of(self.manifest_bytes, "manifest.json")
        require(self.manifest.get("format") == "loam-dataset", "manifest.json: not that of a data set")
        require(self.manifest.get("pipeline") == 1, "manifest.json: another pipeline than 1")
        require(self.manifest.get("profile") == "own",
                f"profile {self.manifest.get('profile')}: this verifier knows profile own alone")
        require(is_hex(self.manifest.get("split_seed"), 32), "manifest.json: no split seed")
        require(type(self.manifest.get("query")) is str, "manifest.json: no query")
        self.seed, self.query = bytes.fromhex(self.manifest["split_seed"]), Query(self.manifest["query"])
        self.claims = 0
        self.read_logs(keys)
        self.read_bodies()
        self.read_dropped()

    def read(self, name):
        return (self.folder / name).read_bytes()

    @staticmethod
    def json_of(content, what):
        try:
            value = json.loads(content)
        except ValueError as error:
            raise Fault("form", f"{what}: {error}") from None
        require(type(value) is dict, f"{what}: no object")
        return value

    def lines_of(self, name):
        content = self.read(name)
        require(content.endswith(b"\n") or not content, f"{name}: its last line has no end")
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            value = self.json_of(line, f"{name}, line {number}")
            require(as_json(value) == line, f"{name}, line {number}: another spelling")
            yield f"{name}, line {number}", value

    def read_logs(self, keys):
        found = {path.name for path in (self.folder / "logs").iterdir()}
        keys = sorted((key for key in keys if key.public.hex() in found), key=lambda key: key.origin)
        require(len(keys) == len(found) > 0, "logs/: a log whose key was not given")
        require(len({key.net for key in keys}) == 1, "keys of several nets")
        self.logs = {key.origin: read_log(self.folder / "logs" / key.public.hex(), key) for key in keys}
        self.net = keys[0].net
        states = [state for _, _, state in self.logs.values()]
        self.retracted = retracted_in(states)
        votes = votes_in(states, self.retracted)
        self.records = {identity: Record(identity, header, votes.get(identity, []), writer_of(state, header[4]))
                        for state in states for identity, header in state.records.items()
                        if KINDS[header[2]][0] in ("data", "edit")}
        self.candidates = {identity: record for identity, record in self.records.items()
                           if self.query.matches(record.facts) is not False}

    def record_of(self, text, where):
        try:
            identity = parse_id(text)
        except (Fault, TypeError):
            raise Fault("form", f"{where}: not an id") from None
        require(identity in self.records, f"{where}: no record of the logs")
        return self.records[identity]

    def read_bodies(self):
        last = b""
        for where, line in self.lines_of("bodies.jsonl"):
            require(list(line) == ["id", "row", "salt", "body"] and type(line["row"]) is bool, f"{where}: other members")
            record = self.record_of(line["id"], where)
            require(record.id > last, f"{where}: not in the order of ids")
            last = record.id
            try:
                record.give(*salt_and_body(line))
            except Fault as fault:
                raise Fault(fault.kind, f"{where}: {fault}") from None
            record.is_row = line["row"]
        self.given = [record for record in self.records.values() if record.body]
        self.rows = sorted((record for record in self.given if record.is_row), key=lambda record: record.id)

    def read_dropped(self):
        self.dropped, last = {}, b""
        for where, line in self.lines_of("dropped.jsonl"):
            reason = line.get("reason")
            require(reason in REASONS, f"{where}: unknown reason")
            more = ["of"] if reason in NAMES_ANOTHER else ["rule"] if reason == "repetition" else []
            require(list(line) == ["id", "reason", *more], f"{where}: other members")
            require("rule" not in more or line["rule"] in RULES, f"{where}: unknown rule")
            record = self.record_of(line["id"], where)
            require(record.id > last, f"{where}: not in the order of ids")
            last = record.id
            other = self.record_of(line["of"], where) if "of" in line else None
            self.dropped[record.id] = (reason, line.get("rule", other))

    def passed(self, record, reason):
        """Whether the record was not dropped for any reason before this one: a row, or dropped later."""
        if record.id not in self.dropped:
            return record.is_row
        return REASONS.index(self.dropped[record.id][0]) >= REASONS.index(reason)

    # --- what headers and the texts that are there show --------------------------------------------

    def by_header(self, record):
        """The first of the reasons that every reader sees, or None."""
        if record.id in self.retracted or record.original in self.retracted:
            return "retracted"
        if 11 not in record.header or not record.scope or record.header[10] not in LICENCES:
            return "no-consent"
        return None

    def by_text(self, record):
        """(reason, rule) that the text of one record shows, or (None, None)."""
        if not self.query.matches(record.facts, record.body):
            return "query", None
        answer = record.answer()
        if len(record.messages) < 2 or answer["role"] != "assistant" or not words_of(answer["content"]):
            return "no-answer", None
        rule = repeats_itself(answer["content"]) if answer["origin"] in ("model", "unknown") else None
        return ("repetition", rule) if rule else (None, None)

    def check_all_spoken_of(self):
        for record in self.candidates.values():
            require(record.is_row != (record.id in self.dropped), f"{id_text(record.id)}: " + (
                "both a row and dropped" if record.is_row else "the query may match it, and it is no row and not dropped"))
        for identity in {row.id for row in self.rows} | self.dropped.keys():
            require(identity in self.candidates, f"{id_text(identity)}: the query cannot match it")

    def check_row(self, row):
        reason = self.by_header(row) or self.by_text(row)[0]
        require(reason is None, f"a row that must be dropped: {reason}")
        require(row.fits_split(self.seed), f"a row of split {row.split(self.seed)} without the scope for it")
        require(not self.edits_of(row), "a row of which an edit is here")

    def edits_of(self, record):
        return [edit for edit in self.candidates.values() if edit.original == record.id and self.passed(edit, "superseded")]

    def check_reason(self, record):
        """Whether the reason for which a record was dropped can be, and is, as far as one can tell."""
        reason, more = self.dropped[record.id]
        seen = self.by_header(record)
        require((seen or reason) == reason, f"dropped for {reason}, and its reason is {seen}")
        if seen:
            return
        require(reason not in ("retracted", "no-consent"), f"dropped for {reason}, which does not hold")
        if record.body:
            require(reason not in ("no-body", "bad-body"), f"dropped for {reason}, and its body is here")
            text, rule = self.by_text(record)
            require(text in (None, reason) and (text or REASONS.index(reason) > REASONS.index("repetition")),
                    f"dropped for {reason}, and its text says {text}")
            require(rule in (None, more), f"the rule of its repetition is {rule}")
        {"query": self.check_query, "superseded": self.check_superseded, "duplicate": self.check_duplicate,
         "near-duplicate": self.check_duplicate, "author-cap": self.check_cap, "scope": self.check_scope,
         }.get(reason, lambda *_: None)(record, more)
        if REASONS.index(reason) > REASONS.index("superseded"):
            require(not self.edits_of(record), f"dropped for {reason}, and an edit of it is here")
        self.claims += 1

    def check_query(self, record, _):
        require(self.query.matches(record.facts) is None, "dropped for query, and its header matches")

    def check_superseded(self, record, edit):
        first = min(self.edits_of(record), key=lambda other: other.id, default=None)
        require(edit is first, "superseded by what is not the first edit of it that is here")

    def check_duplicate(self, record, other):
        require(self.passed(other, "author-cap") and other is not record, "a duplicate of what was dropped, too")
        require(other.better(self.seed) < record.better(self.seed), "a duplicate of what is not better")

    def check_cap(self, record, _):
        require(self.query.cap is not None, "dropped for a cap, and there is none")
        before = [other for other in self.candidates.values() if other.writer == record.writer
                  and self.passed(other, "scope") and other.better(self.seed) < record.better(self.seed)]
        require(len(before) >= self.query.cap, "dropped for a cap that its author did not reach")

    def check_scope(self, record, _):
        require(len(record.scope) < 2 and not (record.body and record.fits_split(self.seed)),
                "dropped for its scope, which bars nothing")

    def check_together(self):
        """Caps, and duplicates among the texts that are there; equal texts have equal signatures."""
        for writer in {row.writer for row in self.rows}:
            kept = [record for record in self.candidates.values() if record.writer == writer and self.passed(record, "scope")]
            require(self.query.cap is None or len(kept) <= self.query.cap, "an author with more rows than the cap")
        absent = min((identity for identity in self.dropped if self.passed(self.records[identity], "duplicate")),
                     default=None)
        for first, second in sorted(joined_pairs({row.id: signature(row.words) for row in self.rows})):
            # A text that is not there may have stood between them as the first of its bucket.
            require(absent is not None and absent < first, f"{id_text(second)}: a duplicate of {id_text(first)}")

    # --- what follows ------------------------------------------------------------------------------

    def worse_answer(self, row):
        """The original of an edit, if its text is here, answers the same question and differs."""
        original = self.records.get(row.original)
        if not original or not original.body or original.question() != row.question():
            return None
        return original if original.answer()["content"] != row.answer()["content"] else None

    def row_bytes(self, row):
        header, answer, original = row.header, row.answer(), self.worse_answer(row)
        value = {
            "id": row.id, "kind": row.kind, "log": header[16], "author": row.author, "time": header[6],
            "licence": header[10], "scope": row.scope, "models": header.get(12, []), "model": row.body["model"],
            "lang": row.body["lang"], "masked": row.body["masked"], "messages": row.messages, "up": row.up,
            "down": row.down, "label": row.label, "gold": False, "votes": row.votes,
            "depth": 0 if answer["origin"] in ("human", "mixed") else 1, "split": row.split(self.seed)}
        if original:
            value |= {"original": original.id, "rejected": original.answer()["content"]}
        return cbor2.dumps(value, canonical=True)

    def used(self):
        ids = {row.id for row in self.rows} | {vote for row in self.rows for vote in row.votes}
        originals = {original.id for original in map(self.worse_answer, self.rows) if original}
        for record in self.given:
            require(record.is_row or (record.id in originals and not self.by_header(record)),
                    f"{id_text(record.id)}: a body that no row may use")
        return sorted(ids | originals)

    def head(self, row):
        answer = row.answer()
        return {"id": id_text(row.id), "split": row.split(self.seed), "model": row.body["model"], "lang": row.body["lang"],
                "licence": row.header[10], "author": row.author.hex(), "origin": answer["origin"], "rating": row.rating,
                "depth": 0 if answer["origin"] in ("human", "mixed") else 1, "time": row.header[6]}

    def views(self):
        sft, kto, dpo, text = [], [], [], []
        pairs = self.pairs()
        for row in self.rows:
            head, asked, answer = self.head(row), row.question(), [shown(row.answer())]
            if row.label >= 0:
                sft.append(head | {"messages": asked + answer})
                text.append(head | {"text": "\n\n".join(message["content"] for message in row.messages)})
            if row.label:
                kto.append(head | {"prompt": asked, "completion": answer, "label": row.label > 0})
            for worse in pairs.get(row.id, []):
                dpo.append(head | {"prompt": asked, "chosen": answer, "rejected": [shown(worse.answer())],
                                   "rejected_id": id_text(worse.id)})
        return {name: b"".join(map(as_json, lines))
                for name, lines in zip(FILES, (sft, kto, dpo, text))}

    def pairs(self):
        """By the id of a row: what it is better than."""
        out, good, bad = {}, {}, {}
        for row in self.rows:
            worse = self.worse_answer(row)
            if worse and row.label >= 0:
                out.setdefault(row.id, []).append(worse)
            if row.label:
                (good if row.label > 0 else bad).setdefault(as_json(row.question()), []).append(row)
        for question, rows in good.items():
            for better, worse in zip(rows, bad.get(question, [])):
                out.setdefault(better.id, []).append(worse)
        return out

    def manifest_of(self, used):
        def counted(values):
            values = list(values)
            return {value: values.count(value) for value in sorted(set(values))}

        def described(name):
            content = self.read(name)
            return {"name": name, "bytes": len(content), "lines": content.count(b"\n"),
                    "sha256": hashlib.sha256(content).hexdigest()}

        return {
            "format": "loam-dataset", "pipeline": 1, "net": self.net.hex(), "profile": "own",
            "query": self.manifest["query"], "split_seed": self.seed.hex(),
            "logs": [{"origin": origin, "height": size, "root": root.hex()}
                     for origin, (size, root, _) in sorted(self.logs.items())],
            "rows": len(self.rows), "dropped": len(self.dropped), "used": len(used),
            "authors": len({row.author for row in self.rows}),
            "splits": counted(row.split(self.seed) for row in self.rows),
            "licences": counted(row.header[10] for row in self.rows),
            "languages": counted(row.body["lang"] for row in self.rows),
            "models": counted(model.hex() for row in self.rows for model in row.header.get(12, [])),
            "origins": counted(row.answer()["origin"] for row in self.rows),
            "reasons": counted(reason for reason, _ in self.dropped.values()),
            "files": [described(name) for name in FILES]}

    def check(self):
        self.check_all_spoken_of()
        for check, records in ((self.check_row, self.rows),
                               (self.check_reason, [self.records[identity] for identity in self.dropped])):
            for record in records:
                try:
                    check(record)
                except Fault as fault:
                    raise Fault(fault.kind, f"{id_text(record.id)}: {fault}") from None
        self.check_together()
        for name, content in self.views().items():
            require(self.read(name) == content, f"{name} is not what follows from the records")
        used = self.used()
        require(as_page(self.manifest_of(used)) == self.manifest_bytes,
                "manifest.json is not what follows from the records")
        rows, manifest_sha256 = [self.row_bytes(row) for row in self.rows], sha256(self.manifest_bytes)
        names = ("rows_root", "used_root", "dataset_root")
        roots = {name: root.hex() for name, root in zip(names, roots_of(rows, used, manifest_sha256))}
        roots = {"dataset_root": roots.pop("dataset_root"), **roots, "manifest_sha256": manifest_sha256.hex()}
        require(as_page(roots) == self.read("root.json"), "root.json: other roots than follow")
        return rows, used, roots


def read_texts(logs):
    """(salt, body) by id, as log copies hold them."""
    texts = {}
    for path in (path for log in logs for path in (log / "body").iterdir()):
        texts[parse_id(path.name)] = salt_and_body(json.loads(path.read_bytes()))
    return texts


def recheck(data, logs):
    """Whether the rows and every reason follow from the texts of the logs."""
    again = Selection(data, read_texts(logs)).dropped
    for identity in sorted(data.candidates):
        said, follows = data.dropped.get(identity), again.get(identity)
        require(said == follows, f"{id_text(identity)}: {said and said[0]}, and what follows is {follows and follows[0]}")
    data.claims = 0


def check_folder(folder, keys, logs=()):
    data = DataSet(folder, keys)
    rows, used, roots = data.check()
    if logs:
        recheck(data, logs)
    return (f"ok: {roots['dataset_root']}, {len(rows)} rows of {len(data.records)} records, {len(used)} used, "
            f"{len(data.dropped)} dropped, {data.claims} reasons are claims")


def check_roots(path):
    with open(path, encoding="ascii") as file:
        cases = json.load(file)["cases"]
    for case in cases:
        rows, used = ([bytes.fromhex(item) for item in case[name]] for name in ("rows", "used"))
        ids = [record_check.decode(row)["id"] for row in rows]
        require(ids == sorted(set(ids)) and used == sorted(set(used)), f"{case['shows']}: not in order")
        found = [root.hex() for root in roots_of(rows, used, bytes.fromhex(case["manifest_sha256"]))]
        require(found == [case[name] for name in ("rows_root", "used_root", "dataset_root")], f"{case['shows']}: other roots")
    return f"ok: {len(cases)} cases of roots"


def main():
    parser = argparse.ArgumentParser(prog="dataset_check.py", description=__doc__.splitlines()[0])
    parser.add_argument("where", metavar="FOLDER|FILE", type=Path)
    parser.add_argument("--key", action="append", default=[], help="a log's verifier key, NAME+HASH+KEY")
    parser.add_argument("--from", dest="logs", action="append", default=[], type=Path, help="a copy of a log, with bodies")
    chosen = parser.parse_args()
    try:
        if chosen.where.is_file():
            print(check_roots(chosen.where))
            return 0
        if not chosen.key:
            parser.error("a data set is checked with --key, once for each log")
        print(check_folder(chosen.where, [record_check.LogKey(key) for key in chosen.key], chosen.logs))
        return 0
    except (Fault, OSError, ValueError) as fault:
        print(f"wrong: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
