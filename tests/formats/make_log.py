#!/usr/bin/env python3
"""Writes a log as docs/formats/log.md has it, from that page: a folder that any web server can serve below /log/.

    make_log.py FOLDER [--records N] [--no-bodies]

The records are the same each time: conversations and votes of two authors, edits, retractions, and from 100 records on a
change of keys. The log's key is that of make_records.py. Prints the verifier key.
"""
import argparse
import base64
import hashlib
import json
import shutil
from pathlib import Path

from make_records import (ALICE, BOB, LOG, NET, Key, cbor, conversation, data_fields, digest, header_of, message,
                          record_id, seal)

WIDTH = 256
CAROL, RECOVERY = Key("carol", 4), Key("recovery", 5)
ORIGIN = f"loam/{NET.hex()}/{LOG.public.hex()}"


def to_base64(content):
    return base64.b64encode(content).decode()


def key_hash(public=LOG.public, origin=ORIGIN):
    return hashlib.sha256(origin.encode() + b"\n\1" + public).digest()[:4]


def verifier_key(public=LOG.public, origin=ORIGIN):
    return f"{origin}+{key_hash(public, origin).hex()}+{to_base64(bytes([1]) + public)}"


def sign_checkpoint(size, root, key=LOG, origin=ORIGIN):
    body = f"{origin}\n{size}\n{to_base64(root)}\n"
    signature = to_base64(key_hash(key.public, origin) + key.sign(body.encode()))
    return f"{body}\n\u2014 {origin} {signature}\n".encode()


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def subtree(hashes):
    """The root over any number of hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return node_hash(subtree(hashes[:split]), subtree(hashes[split:]))


def root_of(entries):
    return subtree([leaf_hash(entry) for entry in entries]) if entries else hashlib.sha256().digest()


def tile_name(index, width=WIDTH):
    name = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        name = f"x{index % 1000:03}/{name}"
    return name if width == WIDTH else f"{name}.p/{width}"


def publish(folder, entries, key=LOG, origin=ORIGIN):
    """Tiles, bundles and checkpoint of `entries`, over what a shorter log left there; returns the checkpoint."""
    folder = Path(folder)

    def put(kind, index, width, content):
        place = folder / "tile" / str(kind)
        path = place / tile_name(index, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if width == WIDTH:
            shutil.rmtree(place / (tile_name(index) + ".p"), ignore_errors=True)

    hashes, level = [leaf_hash(entry) for entry in entries], 0
    for start in range(0, len(entries), WIDTH):
        part = entries[start:start + WIDTH]
        put("entries", start // WIDTH, len(part), b"".join(len(e).to_bytes(2, "big") + e for e in part))
    while hashes:
        for start in range(0, len(hashes), WIDTH):
            part = hashes[start:start + WIDTH]
            put(level, start // WIDTH, len(part), b"".join(part))
        full = len(hashes) // WIDTH * WIDTH
        hashes = [subtree(hashes[start:start + WIDTH]) for start in range(0, full, WIDTH)]
        level += 1
    checkpoint = sign_checkpoint(len(entries), root_of(entries), key, origin)
    (folder / "checkpoint").write_bytes(checkpoint)
    return checkpoint


class Log:
    """Entries and bodies, before they are written."""

    def __init__(self):
        self.entries, self.bodies, self.retracted, self.next_seq = [], {}, set(), {}

    def add(self, kind, key, **fields):
        """A record with the author's next seq; returns its id as bytes."""
        seq = self.next_seq.get(key.name, 0)
        self.next_seq[key.name] = seq + 1
        self.entries.append(seal(cbor(header_of(kind, _5=seq, **fields) | {4: key.public}), key))
        return hashlib.sha256(self.entries[-1]).digest()

    def add_body(self, kind, key, text, **fields):
        number = len(self.entries)
        body = cbor(conversation(messages=[message(content=text), message("assistant", "An answer.", "model")]))
        salt = digest(f"salt {number}")
        identity = self.add(kind, key, **data_fields(salt, body), **fields)
        self.bodies[record_id(self.entries[-1])] = {"salt": to_base64(salt), "body": to_base64(body)}
        return identity

    def retract(self, key, identity, reason=1):
        self.add("retraction", key, _9=[identity], _13=cbor({1: reason}))
        self.retracted.add("loam1" + base64.b32encode(identity).decode().lower().rstrip("="))

    def write(self, folder, sizes=(), bodies=True):
        """Publishes at each of `sizes`, then all of it; returns the checkpoints."""
        checkpoints = [publish(folder, self.entries[:size]) for size in (*sizes, len(self.entries))]
        if bodies:
            place = Path(folder) / "body"
            place.mkdir(exist_ok=True)
            for name in self.bodies.keys() - self.retracted:
                (place / name).write_text(json.dumps(self.bodies[name]))
        return checkpoints


def sample_log(records):
    log, writer = Log(), ALICE
    while len(log.entries) < records:
        number = len(log.entries)
        if number == 99:
            log.add("key", ALICE, _13=cbor({2: RECOVERY.public}))
            log.add("key", ALICE, _13=cbor({1: CAROL.public}))
            log.retract(RECOVERY, question)
            writer = CAROL
            continue
        step = number % 8
        if step < 4:
            question = log.add_body("data", writer, f"Question {number}?", _12=[digest("a model")])
        elif step == 4:
            log.add("vote", BOB, _9=[question], _13=cbor({1: 1 if number % 3 else -1}))
        elif step == 5:
            log.add_body("edit", BOB, f"A better answer to {number}.", _9=[question])
        elif step == 6:
            log.add("receipt", BOB, _9=[question], _13=bytes(number % 50 + 1))
        else:
            log.retract(writer, question)
    del log.entries[records:]
    return log


def main():
    parser = argparse.ArgumentParser(prog="make_log.py", description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--records", type=int, default=600)
    parser.add_argument("--no-bodies", action="store_true")
    chosen = parser.parse_args()
    Path(chosen.folder).mkdir(parents=True, exist_ok=True)
    sample_log(chosen.records).write(chosen.folder, bodies=not chosen.no_bodies)
    print(verifier_key())


if __name__ == "__main__":
    main()
