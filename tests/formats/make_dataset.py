#!/usr/bin/env python3
"""Writes the golden data set and the vectors of roots in src/dataset/testdata, from logs that only this file knows.

    make_dataset.py FOLDER           makes them and compares
    make_dataset.py --write FOLDER   makes them and writes them; when a pipeline is new, or the logs below are

FOLDER/set is what is under the root of a data set that `loam data build` makes of two logs (LOAM_BIN names the program,
default bin/loam), and that dataset_check.py has confirmed with all texts at hand. FOLDER/texts.jsonl has, in the form of
bodies.jsonl, the other bodies that the logs give. FOLDER/roots.json has the keys, and rows and ids with the roots over them.
"""
import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import dataset_check
import make_log
import record_check
from make_records import ALICE, BOB, HOUR, NET, Key, cbor, data_fields, digest, message, record_id

CAROL, DAVID, EVE, FRANK, GRACE, HEIDI = make_log.CAROL, Key("david", 6), Key("eve", 7), Key("frank", 9), Key("grace", 10), Key("heidi", 11)
QUERY = '(rating >= -1 or kind = edit) and masked < 3 and not (lang = eo or words = "forbidden fruit") cap 7'
CONSENT = digest("I agree.")

SKY = ("Sunlight holds all colours. Air scatters short waves far more than long ones, so blue light comes from every side of "
       "the sky, while red light goes straight on and reaches the eye only from the sun itself, above all in the evening.")
BREAD = ("Yeast eats sugar and gives off gas. The gas is caught in the dough, since gluten makes it tough, and so the dough rises "
         "slowly; in the heat of the oven the bubbles grow once more before the crust sets and keeps the shape.")
HARBOUR = ("A harbour master keeps the list of berths, tells each ship where it may lie, watches wind and tide, collects what is "
           "due, and decides who sails first when the channel is narrow and two pilots call at once.")


class Log(make_log.Log):
    def __init__(self, key=make_log.LOG):
        super().__init__()
        self.key, self.origin = key, f"loam/{NET.hex()}/{key.public.hex()}"
        self.hash = hashlib.sha256(key.public).digest()

    def add(self, kind, key, **fields):
        return super().add(kind, key, **fields | {"_16": self.hash})

    def verifier_key(self):
        return make_log.verifier_key(self.key.public, self.origin)

    def write(self, folder):
        folder.mkdir()
        make_log.publish(folder, self.entries, self.key, self.origin)
        (folder / "body").mkdir()
        for name in self.bodies.keys() - self.retracted:
            (folder / "body" / name).write_text(json.dumps(self.bodies[name]))

    def talk(self, key, *messages, kind="data", served=True, licence="CC-BY-4.0", scope=3, lang="en", masked=0, model="tiny",
             consent=CONSENT, raw=None, salt=None, hours=0, **fields):
        """A conversation: texts in turns of user and assistant, or whole messages."""
        turns = [item if isinstance(item, dict) else message(("user", "assistant")[i % 2], item, ("human", "model")[i % 2])
                 for i, item in enumerate(messages)]
        body = raw or cbor({"v": 1, "messages": turns, "model": model, "lang": lang, "masked": masked, "replayable": False})
        salt = salt or digest(f"salt of {len(self.entries)}")
        more = data_fields(salt, body) | {"_10": licence, "_15": scope, "_6": HOUR + 3600 * hours} | fields
        if consent:
            more["_11"] = consent
        identity = self.add(kind, key, **more)
        if served:
            self.bodies[record_id(self.entries[-1])] = {"salt": make_log.to_base64(salt), "body": make_log.to_base64(body)}
        return identity

    def edit(self, key, identity, *messages, **more):
        return self.talk(key, *messages, kind="edit", _9=[identity], **more)

    def vote(self, key, identity, value=1, **fields):
        return self.add("vote", key, _9=[identity], _13=cbor({1: value}), **fields)


def talks(log):
    """What is plain: rows of many languages, scripts and licences."""
    tiny = {"_12": [digest("tiny"), digest("an adapter")]}
    blue = log.talk(ALICE, message("system", "Be brief.", "unknown"), message(content="Why is the sky blue?"),
                    message("assistant", SKY, "model"), **tiny)
    bad = log.talk(BOB, message("system", "Be brief.", "unknown"), message(content="Why is the sky blue?"),
                   message("assistant", "It mirrors the sea, as everybody knows.", "model"), hours=1)
    log.talk(GRACE, "Warum ist Straßenbahn länger als Bus?", "Weil \"STRASSENBAHN\" zwölf Buchstaben hat, »Bus« nur drei.",
             licence="CC0-1.0", lang="de", model="Größe-7B", hours=2)
    log.talk(HEIDI, "Où est l'été ?", "Derrière l'hiver,\naprès le printemps.\tC:\\ÉTÉ\\a/b <&> \b\f\r\u0001\u001f\u007f\u2028",
             licence="CC-BY-SA-4.0", lang="fr", **tiny)
    log.talk(GRACE, "空はなぜ青いのですか。", "空気が青い光をよく散乱するからです。𠮷野家", licence="ODC-By-1.0", lang="ja", scope=1)
    log.talk(HEIDI, "Почему НЕБО голубое?", "Потому что Ёж видит синий свет, а воздух рассеивает короткие волны. ѠѡӁ",
             licence="Apache-2.0", lang="ru", hours=5)
    log.talk(GRACE, "Γιατί είναι ΜΠΛΕ;", "Ο αέρας σκεδάζει το μπλε φως, Ώρα και Άνοιξη.", lang="el")
    log.talk(HEIDI, "ท้องฟ้าสีอะไร", "สีฟ้า ๑๒๓ 🌤️", lang="th", scope=2)
    log.talk(GRACE, "आकाश नीला क्यों है?", "क्योंकि हवा नीले प्रकाश को बिखेरती है। ＡＢＣ", lang="hi")
    log.talk(HEIDI, message("user", "Say nothing new.", "human"), message("assistant", "One. Two.", "unknown"),
             message("user", "And then?", "human"), message("assistant", "Three, four.", "mixed"), lang="und", scope=1)
    log.vote(BOB, blue)
    log.vote(CAROL, blue)
    for value in (1, -1):  # the newest counts
        log.vote(ALICE, bad, value)
    return blue, bad


def improvements(log, blue):
    """Edits: of a record, of an edit, of another question, of what is retracted, of what no log here has."""
    weak = log.talk(CAROL, "What is a fjord?", "A kind of horse, I would say.", hours=7)
    better = log.edit(BOB, weak, message(content="What is a fjord?"),
                      message("assistant", "A long narrow inlet that a glacier cut, with steep sides.", "mixed"))
    log.vote(BOB, better)  # own votes count
    best = log.edit(CAROL, better, message(content="What is a fjord?"),
                    message("assistant", "A long narrow arm of the sea between cliffs, cut by a glacier.", "human"), hours=8)
    log.vote(EVE, best, 0)
    log.vote(DAVID, best, 1)
    log.vote(DAVID, log.talk(ALICE, "What is a fjord?", "A Swedish car."), -1)  # a second pair of the same row
    other = log.talk(BOB, "Name a tree.", "Oak.", hours=3)
    log.edit(ALICE, other, message(content="Name a tall tree."), message("assistant", "Sequoia.", "human"))
    gone = log.talk(BOB, "Where do I live?", "In a house whose number I should not have told.")
    log.edit(ALICE, gone, message(content="Where do I live?"), message("assistant", "I do not know.", "human"))
    log.retract(BOB, gone, 2)
    nowhere = log.talk(EVE, "Lost?", "The original never had a body here.", served=False)
    log.edit(EVE, nowhere, message(content="Lost?"), message("assistant", "Found again.", "human"))
    log.edit(EVE, digest("a record of another log"), message(content="Elsewhere?"), message("assistant", "Here.", "human"))
    withdrawn = log.edit(EVE, blue, message(content="Why is the sky blue?"), message("assistant", "Rayleigh.", "human"))
    log.retract(EVE, withdrawn)
    twice = log.talk(EVE, "Lost?", "Not found.")
    for number, key in enumerate((ALICE, BOB, DAVID)):  # which of several edits is named
        log.edit(key, twice, message(content="Lost?"), message("assistant", f"Found {number + 2} times.", "human"))
    chain = log.talk(DAVID, "First of three?", "Withdrawn.")
    middle = log.edit(EVE, chain, message(content="First of three?"), message("assistant", "Withdrawn, too.", "human"))
    log.edit(ALICE, middle, message(content="First of three?"), message("assistant", "What of me?", "human"))
    log.retract(DAVID, chain)
    unfree = log.talk(DAVID, "Not mine to give?", "A text that may not be used.", licence="CC-BY-NC-4.0")
    log.edit(DAVID, unfree, message(content="Not mine to give?"), message("assistant", "A text that may.", "human"))
    hidden = log.talk(DAVID, "Not asked for?", "The query says no.", lang="eo")
    log.edit(ALICE, hidden, message(content="Not asked for?"), message("assistant", "The query says yes.", "human"))
    sunk = log.talk(DAVID, "Too bad for the query?", "Two votes down.")
    log.vote(ALICE, sunk, -1), log.vote(BOB, sunk, -1)
    log.edit(BOB, sunk, message(content="Too bad for the query?"), message("assistant", "Better.", "human"))
    poor = log.edit(CAROL, sunk, message(content="Too bad for the query?"), message("assistant", "Worse still.", "human"))
    log.vote(EVE, poor, -1)
    same = log.talk(EVE, "Twice the same?", "Exactly the same.")
    log.edit(BOB, same, message(content="Twice the same?"), message("assistant", "Exactly the same.", "mixed"))


def questions(log):
    """Good and bad answers to one question, so that pairs are made."""
    for number, (key, answer, value) in enumerate((
            (ALICE, "Seven, if the old count is right.", 1), (BOB, "Green is the colour of the deepest ocean.", -1),
            (CAROL, "There are seven by most people's counting of them.", 1), (DAVID, "None at all.", -1),
            (EVE, "Five; but some say that there are seven.", 1))):
        asked = log.talk(key, "How many seas are there?", answer, hours=number)
        log.vote(BOB, asked, value)
    voted = log.talk(ALICE, "Is a vote for ever?", "No: it can be withdrawn.")
    log.retract(DAVID, log.vote(DAVID, voted, -1))
    again = log.talk(CAROL, "Does the vote before come back?", "Not when the newest is withdrawn.")
    log.vote(DAVID, again, -1)
    log.retract(DAVID, log.vote(DAVID, again, 1))
    edited = log.edit(DAVID, digest("nowhere"), message(content="How many seas are there?"),
                      message("assistant", "Seven, of which four are far away.", "mixed"))
    log.vote(BOB, edited, 1)
    disliked = log.talk(ALICE, "Who likes this?", "Nobody does.")
    for key in (BOB, CAROL, DAVID):
        log.vote(key, disliked, -1)
    log.add("receipt", BOB, _9=[disliked], _13=bytes(9))


def alike(log):
    """Duplicates and near duplicates, rated and not, joined directly and over others."""
    for key in (ALICE, BOB, DAVID):
        log.talk(key, "Name a river.", "The Loire.", lang="en")
    for origin in ("model", "unknown", "mixed"):  # who wrote them does not matter
        log.talk(EVE, message(content="Name a lake."), message("assistant", "Ladoga.", origin))
    for key in (CAROL, DAVID, EVE):  # three signs
        log.talk(key, message(content="?!"), message("assistant", "a b" if key is CAROL else "A B", "model"))
    first = BREAD
    second = first.replace("Yeast eats", "Yeast takes")
    third = second.replace("its shape", "its form").replace("keeps the shape", "holds the shape")
    ids = [log.talk(key, "Why does bread rise?", text)
           for key, text in ((ALICE, first), (CAROL, second), (EVE, third), (BOB, third), (DAVID, first))]
    log.vote(EVE, ids[1])
    log.talk(EVE, "What does a harbour master do?", HARBOUR)
    log.talk(BOB, "what does a HARBOUR master do", HARBOUR.upper().replace(",", " --"))
    # Below 20 words shingles are of signs.
    log.talk(DAVID, "Spell it out for me please, letter by letter.", "Very well: aitch, ay, are, bee.")
    log.talk(EVE, "Spell it out for me please, letter by letter!", "Very well: aitch, ay, are, bees.")
    log.talk(CAROL, "Spell it out for me, letter by letter.", "Gladly: see, dee, ee.")


def repeated(log):
    """One answer for each rule of repetition, and some that no rule concerns."""
    plain = [f"Line {number} speaks of {word} and of nothing else at all, {word[::-1]}."
             for number, word in enumerate("boats tides ropes masts sails oars keels decks locks piers quays buoys".split())]
    names = ("ash elm oak fir yew box bay fig plum pear lime pine rowan maple larch alder hazel holly birch beech aspen cedar "
             "willow poplar spruce").split()
    count = [str(number) for number in range(10, 150)]
    sets = {
        "lines": [plain[0], plain[0], plain[1], plain[2], plain[0], plain[3], plain[0]],
        "bytes of lines": [*count[:20], plain[8] + plain[9], plain[8] + plain[9]],
        "paragraphs": ["Thus.", "", *count[:30], " \t", "Thus.", "", *count[30:60], "", "Thus.", "\n", *count[60:90], "", "Thus."],
        "two words": [f"windmill house {a}" for a in [*names[:9], *count[:20]][::2]] + [" ".join(count[20:60])],
        "three words": [" ".join(names[i:i + 12]) + f" a tree of oak {i} {i * 7}" for i in range(8)],
        "four words": [" ".join(names[i:i + 6] + names[i:i + 5] + count[3 * i:3 * i + 16]) for i in (0, 6, 12)],
        "five words": [" ".join(names[i:i + 6] + names[i:i + 5] + count[4 * i:4 * i + 24]) for i in (0, 6, 12)],
        "ten words": [" ".join(names[:10] + count[:85] + names[:10])],
        "nearly": [" ".join(names[:10] + count[:140] + names[:10])],
        "a long word": [" ".join([*names, *count[:30], "Donaudampfschifffahrt" * 9])],
    }
    for number, (name, lines) in enumerate(sets.items()):
        log.talk((ALICE, BOB, CAROL, DAVID, EVE)[number % 5], f"Repeat: {name}.", "\n".join(lines))
    log.talk(ALICE, message(content="May a person repeat?"), message("assistant", "\n".join([plain[0]] * 8), "human"))
    log.talk(BOB, "Short and the same?", "na " * 49)
    log.talk(CAROL, message(content="Unknown hand?"), message("assistant", "na " * 60, "unknown"))


def refused(log):
    """What cannot be a row, for each other reason."""
    log.talk(ALICE, "Not free?", "Not for trade.", licence="CC-BY-NC-4.0")
    log.talk(ALICE, "Agreed?", "Nobody asked.", consent=None)
    log.talk(BOB, "Masked?", "[email] [phone] [iban]", masked=3)
    log.talk(BOB, "Masked a little?", "[email] and no more.", masked=1)
    log.talk(CAROL, "Ĉu vi parolas?", "Jes.", lang="eo")
    log.talk(CAROL, "What grows there?", "The Forbidden, FRUIT.")
    log.talk(CAROL, "What is forbidden?", "Fruit, but not behind the other word.")
    log.talk(DAVID, "Alone.")
    log.talk(DAVID, "One?", "Two.", "Three?")
    log.talk(DAVID, "Anything?", "... --- !")
    log.talk(EVE, "Form?", raw=cbor({"v": 2}))
    changed = log.talk(EVE, "Kept?", "As it was.")
    name = record_check.id_text(changed)
    log.bodies[name] = log.bodies[name] | {"salt": make_log.to_base64(bytes(32))}
    log.retract(ALICE, log.talk(ALICE, "Withdrawn?", "Yes."))
    for number in range(9):  # of these the cap leaves some, and scopes others
        log.talk(EVE, f"What comes after {number} in the list of {'abcdefghijkl'[number] * 3}?",
                 f"{'lkjihgfedcba'[number] * 4}, which is {number * number + 7} by the rule.", scope=number % 3 + 1)
    log.add("key", CAROL, _13=cbor({1: make_log.RECOVERY.public}))
    log.talk(make_log.RECOVERY, "Who goes on?", "The successor of a key.", hours=30)
    log.retract(make_log.RECOVERY, log.talk(make_log.RECOVERY, "And withdraws?", "What it said.", hours=30))


def golden_logs():
    """Two logs: votes, edits and withdrawals reach over logs, the last only by who speaks for the author."""
    first, second = Log(), Log(Key("another log", 8))
    blue, bad = talks(first)
    improvements(first, blue)
    questions(first)
    alike(first)
    repeated(first)
    refused(first)
    far = second.talk(FRANK, "Is this another log?", "It is, with a key of its own.", lang="en-GB")
    first.vote(ALICE, far)
    second.vote(FRANK, bad, 1)
    second.edit(FRANK, bad, message("system", "Be brief.", "unknown"), message(content="Why is the sky blue?"),
                message("assistant", "The air scatters blue light most.", "human"))
    second.retract(FRANK, blue)
    return first, second


# --- what is made of them --------------------------------------------------------------------------


def program():
    return os.environ.get("LOAM_BIN", Path(__file__).resolve().parents[2] / "bin" / "loam")


def build(folder, logs):
    """The data set of the logs in folder/set; returns the copies of the logs, with bodies."""
    copies, command = [], [program(), "--home", folder / "home", "data", "build", "--where", QUERY, "--no-parquet"]
    for number, log in enumerate(logs):
        copies.append(folder / f"log-{number}")
        log.write(copies[-1])
        command += ["--from", copies[-1], "--key", log.verifier_key()]
    subprocess.run([*map(str, command), "--out", str(folder / "set")], check=True, capture_output=True)
    return copies


def texts_of(logs, used):
    """Lines of the bodies that the logs give and the data set does not hold."""
    bodies = {record_check.parse_id(name): (name, body) for log in logs for name, body in log.bodies.items()
              if name not in log.retracted and record_check.parse_id(name) not in used}
    return b"".join(dataset_check.as_json({"id": name, "row": False, **body}) for _, (name, body) in sorted(bodies.items()))


def made_up_rows():
    """Rows that no log has, with every member and every length of head."""
    for number, text in enumerate(("", "x" * 23, "y" * 24, "z" * 255, "\u00e4" * 300, "\U0001f324 \u7a7a")):
        row = {"id": digest(f"row {number}"), "kind": "edit" if number % 2 else "data", "log": digest("log"),
               "author": digest("author"), "time": 3600 * 10 ** number, "licence": "CC0-1.0",
               "scope": [["train"], ["eval"], ["train", "eval"]][number % 3], "models": [digest("model")] * number,
               "model": "m" * number, "lang": "und", "masked": 2 ** (6 * number),
               "messages": [message(content=text), message("assistant", text[::-1] + ".", "mixed")], "up": number, "down": 1,
               "label": (number > 1) - (number < 1), "gold": number == 5, "votes": [digest(f"vote {i}") for i in range(number)],
               "depth": number % 2, "split": ("train", "eval", "gate")[number % 3]}
        if number % 2:
            row |= {"original": digest("original"), "rejected": text + "?"}
        yield row


def case_of(shows, rows, used, manifest_sha256):
    roots = dataset_check.roots_of(rows, used, manifest_sha256)
    return {"shows": shows, "rows": [row.hex() for row in rows], "used": [identity.hex() for identity in used],
            "manifest_sha256": manifest_sha256.hex(),
            **{name: root.hex() for name, root in zip(("rows_root", "used_root", "dataset_root"), roots)}}


def cases(data):
    rows, used, roots = data.check()
    yield case_of("the golden data set", rows, used, bytes.fromhex(roots["manifest_sha256"]))
    made_up = [cbor(row) for row in sorted(made_up_rows(), key=lambda row: row["id"])]
    for count in (0, 1, 3, len(made_up)):
        used = sorted(digest(f"used {number}") for number in range(count * count))
        yield case_of(f"{count} made-up rows", made_up[:count], used, digest(f"manifest {count}"))


def golden_files():
    """Contents by name."""
    logs = golden_logs()
    keys = [log.verifier_key() for log in logs]
    with tempfile.TemporaryDirectory() as folder:
        copies = build(Path(folder), logs)
        made = Path(folder) / "set"
        data = dataset_check.DataSet(made, [record_check.LogKey(key) for key in keys])
        vectors = {"verifier_keys": keys, "cases": list(cases(data))}
        used = {record.id for record in data.given}
        dataset_check.recheck(data, copies)
        names = ["manifest.json", "root.json", *dataset_check.FILES]
        names += sorted(str(path.relative_to(made)) for path in (made / "logs").rglob("*") if path.is_file())
        files = {f"set/{name}": (made / name).read_bytes() for name in names}
    return files | {"texts.jsonl": texts_of(logs, used), "roots.json": json.dumps(vectors, indent=1).encode() + b"\n"}


def main():
    parser = argparse.ArgumentParser(prog="make_dataset.py", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    wrong = 0
    for name, content in golden_files().items():
        path = chosen.folder / name
        if chosen.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            print(f"{path}: not what is made now", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
