#!/usr/bin/env python3
"""Writes the vectors of what a log accepts (docs/formats/log.md), from that page.

    make_acceptance.py FILE           makes them and compares
    make_acceptance.py --write FILE   makes them and writes them

A case is a list of entries. All but the last are accepted, and "accepted" says whether the last one is.
"""
import json
import sys

import make_log
from make_records import ALICE, BOB, LOG, NET, Key, cbor

CAROL, RECOVERY = make_log.CAROL, make_log.RECOVERY
SUCCESSIONS_MAX = 52


def vote(log, key, question):
    log.add("vote", key, _9=[question], _13=cbor({1: 1}))


def change(log, key, **named):
    log.add("key", key, _13=cbor({{"successor": 1, "recovery": 2}[name]: other.public for name, other in named.items()}))


def chain(log, keys):
    for old, new in zip(keys, keys[1:]):
        change(log, old, successor=new)


def cases():
    """(what it shows, entries, whether the last one is accepted)"""
    def case(shows, accepted, *steps):
        log = make_log.Log()
        question = log.add_body("data", ALICE, "Why?")
        for step in steps:
            step(log, question)
        return {"shows": shows, "accepted": accepted, "entries": [entry.hex() for entry in log.entries]}

    rotated = lambda log, _: change(log, ALICE, successor=CAROL)
    ended = lambda log, _: change(log, ALICE)
    recovery = lambda log, _: change(log, ALICE, recovery=RECOVERY)
    yield case("an author retracts", True, lambda log, q: log.retract(ALICE, q))
    yield case("another author retracts", False, lambda log, q: log.retract(BOB, q))
    yield case("a successor writes", True, rotated, lambda log, q: vote(log, CAROL, q))
    yield case("a successor retracts", True, rotated, lambda log, q: log.retract(CAROL, q))
    yield case("an ended key retracts", True, rotated, lambda log, q: log.retract(ALICE, q))
    yield case("an ended key without a successor retracts", True, ended, lambda log, q: log.retract(ALICE, q))
    yield case("an ended key votes", False, rotated, lambda log, q: vote(log, ALICE, q))
    yield case("an ended key changes keys", False, ended, lambda log, q: change(log, ALICE, recovery=RECOVERY))
    yield case("an ended key retracts what its successor wrote", False, rotated,
               lambda log, q: log.retract(ALICE, log.add_body("data", CAROL, "How?")))
    yield case("a recovery key retracts", True, recovery, lambda log, q: log.retract(RECOVERY, q))
    yield case("a recovery key retracts after the key has ended", True, recovery, ended,
               lambda log, q: log.retract(RECOVERY, q))
    yield case("a recovery key that was taken over retracts", True, recovery, rotated,
               lambda log, q: log.retract(RECOVERY, log.add_body("data", CAROL, "How?")))
    yield case("a recovery key that was replaced retracts", False, recovery,
               lambda log, q: change(log, ALICE, recovery=CAROL), lambda log, q: log.retract(RECOVERY, q))
    yield case("a recovery key votes", False, recovery, lambda log, q: vote(log, RECOVERY, q))
    yield case("a recovery key changes keys", False, recovery, lambda log, q: change(log, RECOVERY, successor=CAROL))
    yield case("a recovery key is named again", True, recovery, recovery)
    yield case("a recovery key becomes a successor", False, recovery,
               lambda log, q: change(log, ALICE, successor=RECOVERY))
    yield case("successor and recovery key are one", False,
               lambda log, q: change(log, ALICE, successor=CAROL, recovery=CAROL))
    yield case("successor and recovery key in one change", True,
               lambda log, q: change(log, ALICE, successor=CAROL, recovery=RECOVERY),
               lambda log, q: log.retract(RECOVERY, log.add_body("data", CAROL, "How?")))
    yield case("an author is its own recovery key", False, lambda log, q: change(log, ALICE, recovery=ALICE))
    yield case("a key that writes becomes a recovery key", False, lambda log, q: vote(log, BOB, q),
               lambda log, q: change(log, ALICE, recovery=BOB))
    yield case("a key that has ended becomes a recovery key", True, lambda log, q: change(log, BOB),
               lambda log, q: change(log, ALICE, recovery=BOB), lambda log, q: log.retract(BOB, q))
    yield case("a key that writes becomes a successor", False, lambda log, q: vote(log, BOB, q),
               lambda log, q: change(log, ALICE, successor=BOB))
    keys = [ALICE, *(Key(f"key {number}", 100 + number) for number in range(SUCCESSIONS_MAX + 1))]
    yield case("a retraction over 52 successions", True, lambda log, q: chain(log, keys[:-1]),
               lambda log, q: log.retract(keys[-2], q))
    yield case("a retraction over 53 successions", False, lambda log, q: chain(log, keys),
               lambda log, q: log.retract(keys[-1], q))


def main():
    write, path = "--write" in sys.argv[1:], sys.argv[-1]
    vectors = {"net": NET.hex(), "log_key": LOG.public.hex(), "verifier_key": make_log.verifier_key(),
               "cases": list(cases())}
    content = json.dumps(vectors, indent=1) + "\n"
    if write:
        with open(path, "w", encoding="ascii") as file:
            file.write(content)
        return 0
    with open(path, encoding="ascii") as file:
        same = file.read() == content
    print("ok" if same else f"wrong: {path} is another one", file=sys.stdout if same else sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
