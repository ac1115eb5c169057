#!/usr/bin/env python3
"""Writes the vectors of docs/formats/record.md, from that page and with libraries that others wrote.

    make_records.py FILE           makes them and compares
    make_records.py --write FILE   makes them and writes them

Every signature is right unless the vector says that it is not, so what is refused is refused for the one fault named.
Long contents are not written out as hexadecimal but as a rule: "before", then "repeat" as often as "times" says, then
"after".
"""
import base64
import hashlib
import json
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PROTECTED = bytes.fromhex("a10132")
NET = hashlib.sha256(b"loam.net.public").digest()[:16]
ORDER = 2**252 + 27742317777372353535851937790883648493
KINDS = ["data", "edit", "vote", "receipt", "attestation", "publication", "key", "node", "retraction", "checkpoint",
         "evidence"]
BYTES = {3: "net", 4: "author", 7: "body_commitment", 11: "consent", 13: "payload", 16: "log_key_hash"}
HOUR = 1_700_000_000 // 3600 * 3600
RECORD_BYTES_MAX = 60_000


def cbor(value):
    return cbor2.dumps(value, canonical=True)


def digest(text):
    return hashlib.sha256(text.encode()).digest()


class Key:
    def __init__(self, name, byte):
        self.name, self.seed = name, bytes([byte]) * 32
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message):
        return self.private.sign(message)

    def secret(self):
        """The number a with A = a B. RFC 8032 section 5.1.5."""
        low = int.from_bytes(hashlib.sha512(self.seed).digest()[:32], "little")
        return low & (2**254 - 8) | 2**254


ALICE, BOB, LOG = Key("alice", 1), Key("bob", 2), Key("log", 3)


def to_be_signed(header, net=NET):
    return cbor(["Signature1", PROTECTED, b"loam.rec.v1" + net, header])


def seal(header, key=ALICE, net=NET, signature=None):
    """The record around the bytes of a header."""
    return cbor([PROTECTED, {}, header, signature or key.sign(to_be_signed(header, net))])


def header_of(kind, **more):
    fields = {1: 1, 2: KINDS.index(kind) + 1, 3: NET, 4: ALICE.public, 5: 0, 6: HOUR,
              16: hashlib.sha256(LOG.public).digest()}
    return fields | {int(name[1:]): value for name, value in more.items()}


def commitment(salt, body):
    return hashlib.sha256(b"loam.body.v1\0" + salt + body).digest()


def bucket(size):
    return max(size - 1, 0).bit_length()


def data_fields(salt, body):
    return {"_7": commitment(salt, body), "_8": bucket(len(body)), "_10": "CC-BY-4.0", "_15": 3}


def record_id(record):
    return "loam1" + base64.b32encode(hashlib.sha256(record).digest()).decode().lower().rstrip("=")


def as_json(header):
    """The header in the terms of JSON, for people and for tests."""
    out = {"kind": KINDS[header[2] - 1], "net": "", "author": "", "seq": header[5], "time": header[6]}
    for field, value in sorted(header.items()):
        if field in BYTES:
            out[BYTES[field]] = written(value)
        elif field == 8:
            out["body_bucket"] = value
        elif field == 9:
            out["refs"] = ["loam1" + base64.b32encode(id).decode().lower().rstrip("=") for id in value]
        elif field == 10:
            out["licence"] = value
        elif field == 12:
            out["models"] = [model.hex() for model in value]
        elif field == 15:
            out["scope"] = [name for bit, name in ((1, "train"), (2, "eval")) if value & bit]
    return out


def written(content):
    """Hexadecimal, or the rule of a long content."""
    if len(content) < 8192:
        return content.hex()
    for piece in (b"\0", b"a", cbor(message(content="x"))):
        start = content.find(piece * 1000)
        if start < 0:
            continue
        times = 1000
        while content.startswith(piece, start + times * len(piece)):
            times += 1
        end = start + times * len(piece)
        return {"before": content[:start].hex(), "repeat": piece.hex(), "times": times, "after": content[end:].hex()}
    raise ValueError("long, and no rule makes it")


# --- bodies and payloads ---------------------------------------------------------------------------


def message(role="user", content="Why is the sky blue?", origin="human"):
    return {"role": role, "content": content, "origin": origin}


def conversation(**more):
    return {"v": 1, "messages": [message(), message("assistant", "Because of Rayleigh scattering.", "model")],
            "model": "tiny", "lang": "en", "masked": 0, "replayable": False} | more


def without(members, name):
    return {key: value for key, value in members.items() if key != name}


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def bodies():
    """(what it shows, bytes, whether it is one)"""
    good = cbor(conversation())
    edge = len(cbor(conversation(messages=[message(content="a" * 2**20)]))) - 2**20
    replay = {"seed": 7, "tokens": b"\1\0\0\0", "top": [1, -1, True, None, {"x": "y"}]}
    yield "one message, all texts empty but the role", cbor(conversation(
        messages=[message(content="")], model="", lang="")), True
    yield "every origin, text beyond ASCII, something masked", cbor(conversation(
        messages=[message("system", "Be kind.", "unknown"), message(content="Grüße \U0001f600", origin="mixed"),
                  message("assistant", "\u65e5\u672c\u8a9e", "model")], lang="de-AT", masked=4294967295)), True
    yield "a replay", cbor(conversation(replayable=True, replay=replay)), True
    yield "nested as deep as may be", cbor(conversation(replayable=True, replay=nested(7))), True
    yield "1,000 messages", cbor(conversation(messages=[message(content="x")] * 1000)), True
    yield "1 MiB", cbor(conversation(messages=[message(content="a" * (2**20 - edge))])), True
    yield "a byte more than 1 MiB", cbor(conversation(messages=[message(content="a" * (2**20 - edge + 1))])), False
    yield "nested deeper", cbor(conversation(replayable=True, replay=nested(8))), False
    yield "1,001 messages", cbor(conversation(messages=[message(content="x")] * 1001)), False
    yield "no messages", cbor(conversation(messages=[])), False
    yield "an empty role", cbor(conversation(messages=[message(role="")])), False
    yield "an unknown origin", cbor(conversation(messages=[message(origin="robot")])), False
    yield "a message with a further field", cbor(conversation(messages=[message() | {"name": "x"}])), False
    yield "a message without a content", cbor(conversation(messages=[without(message(), "content")])), False
    for name in ("v", "messages", "model", "lang", "masked", "replayable"):
        yield f"without {name}", cbor(without(conversation(), name)), False
    yield "version 2", cbor(conversation(v=2)), False
    yield "a further field", cbor(conversation(note="x")), False
    yield "masked below zero", cbor(conversation(masked=-1)), False
    yield "masked beyond 32 bits", cbor(conversation(masked=2**32)), False
    yield "masked, and a replay", cbor(conversation(masked=1, replayable=True, replay=replay)), False
    yield "replayable without a replay", cbor(conversation(replayable=True)), False
    yield "a replay that is not replayable", cbor(conversation(replay=replay)), False
    yield "a replay that is null", cbor(conversation(replay=None)), False
    yield "replayable, and a replay that is null", cbor(conversation(replayable=True, replay=None)), False
    yield "a float in the replay", cbor(conversation(replayable=True, replay={"t": 0.5})), False
    yield "a tag in the replay", cbor(conversation(replayable=True, replay=cbor2.CBORTag(1000, 1))), False
    yield "a key of the replay that is no text", cbor(conversation(replayable=True, replay={1: 1})), False
    yield "undefined in the replay", cbor(conversation(replayable=True, replay=cbor2.undefined)), False
    yield "an integer beyond 64 bits", cbor(conversation(replayable=True, replay=2**63)), False
    yield "a content of bytes", cbor(conversation(messages=[message(content=b"x")])), False
    yield "text that is not UTF-8", good.replace(b"tiny", b"t\xffny"), False
    yield "a surrogate in the text", good.replace(b"tiny", b"t\xed\xa0\x80"), False
    yield "keys not sorted", good[:1] + good[4:12] + good[1:4] + good[12:], False
    yield "a key twice", b"\xa7" + good[1:4] + good[1:], False
    yield "a long head", good[:3] + b"\x18\x01" + good[4:], False
    yield "an indefinite length", b"\xbf" + good[1:] + b"\xff", False
    yield "a byte behind it", good + b"\0", False
    yield "cut", good[:-1], False
    yield "nothing", b"", False
    yield "a list", cbor([1]), False


def payloads():
    """(kind, what it shows, bytes, whether it is one)"""
    for name, good, bad in (("vote", (-1, 0, 1), (-2, 2)), ("retraction", (1, 2, 3, 4), (-1, 0, 5))):
        for number in good + bad:
            yield name, str(number), cbor({1: number}), number in good
        yield name, "a long head", bytes.fromhex("a1011801"), False
        yield name, "a float", bytes.fromhex("a101f93c00"), False
        yield name, "truth in place of a number", bytes.fromhex("a101f5"), False
        yield name, "a byte behind it", cbor({1: 1}) + b"\0", False
        yield name, "another key", cbor({2: 1}), False
        yield name, "a further key", cbor({1: 1, 2: 1}), False
        yield name, "an empty map", cbor({}), False
        yield name, "no map", cbor(1), False
    yield "key", "nobody writes on", cbor({}), True
    yield "key", "a successor", cbor({1: BOB.public}), True
    yield "key", "a recovery key", cbor({2: BOB.public}), True
    yield "key", "both", cbor({1: ALICE.public, 2: BOB.public}), True
    yield "key", "not sorted", b"\xa2" + cbor({2: BOB.public})[1:] + cbor({1: ALICE.public})[1:], False
    yield "key", "twice", b"\xa2" + cbor({1: BOB.public})[1:] * 2, False
    yield "key", "a third key", cbor({3: BOB.public}), False
    yield "key", "31 bytes", cbor({1: BOB.public[:31]}), False
    yield "key", "a key of small order", cbor({1: bytes([1]) + bytes(31)}), False
    yield "key", "a key that is not canonical", cbor({1: bytes.fromhex("f0" + "ff" * 30 + "7f")}), False
    yield "key", "not on the curve", cbor({1: bytes([2]) + bytes(31)}), False
    yield "key", "text in place of bytes", cbor({1: "x" * 32}), False
    yield "key", "a byte behind it", cbor({}) + b"\0", False
    least = {1: 2, 2: "a", 3: digest("a manifest"), 5: "CC0-1.0"}
    most = {1: 4, 2: "9z._:/-" + "a" * 121, 3: digest("a manifest"), 4: digest("proofs"), 5: "LicenseRef-" + "a.1+" * 13 + "Z",
            6: [digest(f"model {number}") for number in range(16)]}
    yield "publication", "the least", cbor(least), True
    yield "publication", "all that it may have", cbor(most), True
    for number in (1, 3):
        yield "publication", f"type {number}", cbor(least | {1: number}), True
    for number in (-1, 0, 5):
        yield "publication", f"type {number}", cbor(least | {1: number}), False
    for field in least:
        yield "publication", f"without {field}", cbor(without(least, field)), False
    for name in ("", "A", "-a", "a b", "a\n", "\u00e4", "a" * 129):
        yield "publication", f"the name {name!r}", cbor(least | {2: name}), False
    for licence in ("", "CC BY", "a_b", "a" * 65):
        yield "publication", f"the licence {licence!r}", cbor(least | {5: licence}), False
    yield "publication", "a short hash", cbor(least | {3: bytes(31)}), False
    yield "publication", "short proofs", cbor(least | {4: bytes(33)}), False
    yield "publication", "a hash as text", cbor(least | {3: "x" * 32}), False
    yield "publication", "no models", cbor(least | {6: []}), False
    yield "publication", "17 models", cbor(least | {6: [bytes(32)] * 17}), False
    yield "publication", "a further key", cbor(least | {7: 1}), False
    yield "publication", "a byte behind it", cbor(least) + b"\0", False
    yield "publication", "no map", cbor([]), False
    said = {1: 1, 2: digest("a report")}
    drawn = said | {3: digest("a commitment"), 4: digest("a nonce")}
    for number in (1, 2, 3):
        yield "attestation", f"verdict {number}", cbor(said | {1: number}), True
    yield "attestation", "with what drew its slice", cbor(drawn), True
    for number in (-1, 0, 4):
        yield "attestation", f"verdict {number}", cbor(said | {1: number}), False
    for field in drawn:
        yield "attestation", f"without {field}", cbor(without(drawn, field)), False
    for field in (2, 3, 4):
        yield "attestation", f"a short {field}", cbor(drawn | {field: bytes(31)}), False
    yield "attestation", "a further key", cbor(drawn | {5: digest("a hash")}), False
    yield "attestation", "a byte behind it", cbor(said) + b"\0", False
    yield "attestation", "a commitment", cbor({5: digest("a hash")}), False
    yield "commitment", "the hash of a nonce", cbor({5: digest("loam.nonce.v1" + "n" * 32)}), True
    yield "commitment", "a short hash", cbor({5: bytes(31)}), False
    yield "commitment", "a further key", cbor({1: 1, 5: digest("a hash")}), False
    yield "commitment", "a byte behind it", cbor({5: digest("a hash")}) + b"\0", False
    yield "commitment", "an attestation", cbor(said), False
    yield "commitment", "an empty map", cbor({}), False


# --- records ---------------------------------------------------------------------------------------

SALT = digest("a salt")
BODY = cbor(conversation())


def good_records():
    """(what it shows, key, header, body or None)"""
    ids = [digest(f"record {number}") for number in range(64)]
    models = [digest(f"model {number}") for number in range(16)]
    body = data_fields(SALT, BODY)
    yield "data, the least", ALICE, header_of("data", **body | {"_15": 1}), BODY
    yield "data with all that it may have, for evaluation", ALICE, header_of(
        "data", **body, _5=2**63 - 1, _11=digest("consent"), _12=models) | {
            6: 253402300799 // 3600 * 3600, 10: "LicenseRef-" + "a.1+" * 13 + "Z", 15: 2}, BODY
    yield "data with an empty body, at the start of time", BOB, header_of("data", **data_fields(SALT, b""), _6=0), None
    yield "edit, the least", ALICE, header_of("edit", **body, _5=1, _9=ids[:1]), BODY
    yield "edit with all that it may have", ALICE, header_of(
        "edit", **body, _5=23, _9=ids[:1], _11=digest("consent"), _12=models[:1]), BODY
    yield "vote up", BOB, header_of("vote", _5=24, _9=ids[:1], _13=cbor({1: 1})), None
    yield "vote down", BOB, header_of("vote", _5=255, _9=ids[:1], _13=cbor({1: -1})), None
    yield "a vote whose payload says nothing is a record all the same", BOB, header_of(
        "vote", _9=ids[:1], _13=b"\xff"), None
    for kind in ("receipt", "attestation", "evidence", "publication"):
        yield f"{kind}, the least", ALICE, header_of(kind, _5=256, _13=b"\0"), None
        yield f"{kind} with 64 references, one of them again", ALICE, header_of(
            kind, _5=65536, _9=ids[:63] + ids[:1], _13=b"any bytes"), None
    yield "publication, to the second", ALICE, header_of("publication", _6=253402300799, _13=b"\0"), None
    yield "key with successor and recovery", ALICE, header_of(
        "key", _6=HOUR + 1, _13=cbor({1: BOB.public, 2: LOG.public})), None
    yield "key that ends", ALICE, header_of("key", _13=cbor({})), None
    yield "node", ALICE, header_of("node", _6=1, _13=cbor("anything")), None
    for reason, shows in enumerate(("author", "personal data", "illegal", "superseded"), 1):
        yield f"retraction: {shows}", ALICE, header_of(
            "retraction", _5=4294967296, _9=ids[:1], _13=cbor({1: reason})), None
    yield "checkpoint", ALICE, header_of("checkpoint", _6=HOUR + 59, _13=b"\0"), None
    room = RECORD_BYTES_MAX - len(seal(cbor(header_of("evidence", _13=bytes(50_000))))) + 50_000
    yield "the largest record", ALICE, header_of("evidence", _13=bytes(room)), None


def pairs(header):
    """The bytes of each member, to be put together wrongly."""
    return [cbor(key) + cbor(value) for key, value in sorted(header.items())]


def put(members):
    return bytes([0xa0 | len(members)]) + b"".join(members)


def changed(header, **more):
    return cbor(header | {int(name[1:]): value for name, value in more.items()})


def bad_encodings():
    """(what is wrong, fault, bytes of a header that is then signed as it should be)"""
    good = header_of("data", **data_fields(SALT, BODY))
    plain = cbor(good)
    every = pairs(good)
    yield "two keys in the wrong order", "form", put([every[1], every[0], *every[2:]])
    yield "a key twice", "form", put([*every[:2], every[1], *every[2:]])
    yield "the unknown key 17", "form", changed(good, _17=0)
    yield "the reserved key 14", "form", changed(good, _14=0)
    yield "the key 0", "form", changed(good, _0=0)
    yield "a negative key", "form", put([*every, cbor(-1) + cbor(0)])
    yield "a key that is text", "form", put([*every, cbor("x") + cbor(0)])
    for field in (1, 2, 3, 4, 5, 6, 16):
        yield f"field {field} is missing", "form", cbor(without(good, field))
    yield "a head longer than it need be", "form", put([every[0][:1] + b"\x18\x01", *every[1:]])
    yield "a map's head longer than it need be", "form", bytes([0xb8, len(every)]) + b"".join(every)
    yield "a byte string's head longer than it need be", "form", put(
        [*every[:2], b"\x03\x58\x10" + NET, *every[3:]])
    yield "an indefinite map", "form", b"\xbf" + b"".join(every) + b"\xff"
    yield "an indefinite byte string", "form", put([*every[:2], b"\x03\x5f\x50" + NET + b"\xff", *every[3:]])
    yield "a float in place of the version", "form", put([b"\x01\xf9\x3c\x00", *every[1:]])
    yield "truth in place of the version", "form", put([b"\x01\xf5", *every[1:]])
    yield "a tag around the map", "form", b"\xc1" + plain
    yield "a tag around the time", "form", put([*every[:5], b"\x06\xc1" + cbor(HOUR), *every[6:]])
    yield "a small number as bignum", "form", put([*every[:4], b"\x05\xc2\x41\x01", *every[5:]])
    yield "a byte behind the map", "form", plain + b"\0"
    yield "a map that is cut", "form", plain[:-1]
    yield "a list in place of the map", "form", cbor([1])
    yield "no bytes", "form", b""
    yield "an empty map", "form", cbor({})


def bad_fields():
    """The same of headers in the right encoding."""
    good = header_of("data", **data_fields(SALT, BODY))
    vote = header_of("vote", _9=[digest("record")], _13=cbor({1: 1}))
    yield "version 2", "version", changed(good, _1=2)
    yield "version 0", "version", changed(good, _1=0)
    yield "kind 12", "version", changed(vote, _2=12)
    yield "kind 0", "version", changed(vote, _2=0)
    yield "kind 256 + 3", "version", changed(vote, _2=259)
    yield "a negative kind", "form", changed(vote, _2=-3)
    yield "a net of 15 bytes", "form", changed(good, _3=NET[:15])
    yield "a net of 17 bytes", "form", changed(good, _3=NET + b"\0")
    yield "an author of 33 bytes", "form", changed(good, _4=ALICE.public + b"\0")
    yield "a net that is text", "form", changed(good, _3="x" * 16)
    yield "a sequence number of 2^63", "form", changed(good, _5=2**63)
    yield "a sequence number of -1", "form", changed(good, _5=-1)
    yield "data: a time within the hour", "form", changed(good, _6=HOUR + 1)
    yield "vote: a time within the hour", "form", changed(vote, _6=HOUR + 3599)
    for kind in ("receipt", "attestation"):
        yield f"{kind}: a time within the hour", "form", cbor(header_of(kind, _6=HOUR + 60, _13=b"\0"))
    yield "a time before 1970", "form", changed(good, _6=-3600)
    yield "a time beyond the year 9999", "form", cbor(header_of("node", _6=253402300800, _13=b"\0"))
    yield "data without a commitment and bucket", "form", cbor(without(without(good, 7), 8))
    yield "a commitment without a bucket", "form", cbor(without(good, 8))
    yield "a bucket without a commitment", "form", cbor(without(good, 7))
    yield "a bucket in a vote", "form", changed(vote, _8=0)
    yield "a bucket of 21", "form", changed(good, _8=21)
    yield "a commitment of 31 bytes", "form", changed(good, _7=bytes(31))
    yield "data with a reference", "form", changed(good, _9=[bytes(32)])
    yield "data with a payload", "form", changed(good, _13=b"\0")
    yield "no bucket, and an empty payload of the same size", "form", cbor(without(good, 8) | {13: b""})
    yield "an empty payload", "form", changed(vote, _13=b"")
    yield "data without a licence", "form", cbor(without(good, 10))
    yield "an empty licence", "form", changed(good, _10="")
    yield "an empty licence in a vote", "form", changed(vote, _10="")
    yield "a licence with a space", "form", changed(good, _10="CC BY")
    yield "a licence with a line's end", "form", changed(good, _10="MIT\n")
    yield "a licence of 65 characters", "form", changed(good, _10="a" * 65)
    yield "a licence that is not ASCII", "form", changed(good, _10="MIT\u00e9")
    yield "a licence of bytes", "form", changed(good, _10=b"MIT")
    yield "data without a scope", "form", cbor(without(good, 15))
    yield "a scope of 0", "form", changed(good, _15=0)
    yield "a scope of 4", "form", changed(good, _15=4)
    yield "an edit of nothing", "form", changed(good, _2=2)
    yield "an edit of two records", "form", changed(good, _2=2, _9=[bytes(32), bytes(32)])
    yield "an empty list of references", "form", cbor(header_of("receipt", _9=[], _13=b"\0"))
    yield "65 references", "form", cbor(header_of("receipt", _9=[bytes(32)] * 65, _13=b"\0"))
    yield "a reference of 31 bytes", "form", changed(vote, _9=[bytes(31)])
    yield "an empty list of models", "form", changed(good, _12=[])
    yield "17 models", "form", changed(good, _12=[bytes(32)] * 17)
    yield "a consent of 31 bytes", "form", changed(good, _11=bytes(31))
    yield "a vote without a payload", "form", cbor(without(vote, 13))
    yield "a vote with a body", "form", changed(vote, _7=bytes(32), _8=1)
    yield "a vote with a licence", "form", changed(vote, _10="MIT")
    yield "a vote with a consent", "form", changed(vote, _11=bytes(32))
    yield "a vote with a model", "form", changed(vote, _12=[bytes(32)])
    yield "a vote with a scope", "form", changed(vote, _15=1)
    yield "a vote on two records", "form", changed(vote, _9=[bytes(32)] * 2)
    yield "a vote on nothing", "form", cbor(without(vote, 9))
    for kind in ("key", "node", "checkpoint"):
        yield f"{kind} with a reference", "form", cbor(header_of(kind, _9=[bytes(32)], _13=cbor({})))
    yield "a retraction of nothing", "form", cbor(header_of("retraction", _13=cbor({1: 1})))
    yield "a retraction within the hour", "form", changed(vote, _2=9, _6=HOUR + 1)
    yield "a log's hash of 31 bytes", "form", changed(good, _16=bytes(31))


def bad_envelopes():
    """(what is wrong, fault, bytes of the record)"""
    good = header_of("data", **data_fields(SALT, BODY))
    plain = cbor(good)
    sound = seal(plain)
    signature = ALICE.sign(to_be_signed(plain))
    r, s = signature[:32], int.from_bytes(signature[32:], "little")

    def signed(content):
        return seal(plain, signature=content)

    def number(value):
        return value.to_bytes(32, "little")

    def with_protected(protected):
        aad = b"loam.rec.v1" + NET
        return cbor([protected, {}, plain, ALICE.sign(cbor(["Signature1", protected, aad, plain]))])

    yield "a bit of the signature is wrong", "signature", signed(bytes([r[0] ^ 1]) + signature[1:])
    yield "a bit of S is wrong", "signature", signed(signature[:63] + bytes([signature[63] ^ 1]))
    yield "S is L larger", "signature", signed(r + number(s + ORDER))
    yield "another key signed", "signature", seal(plain, BOB)
    yield "signed for another net", "signature", seal(plain, net=bytes(16))
    yield "signed without the words loam.rec.v1", "signature", signed(
        ALICE.sign(cbor(["Signature1", PROTECTED, NET, plain])))
    yield "signed with an empty external_aad", "signature", signed(
        ALICE.sign(cbor(["Signature1", PROTECTED, b"", plain])))
    yield "the header alone was signed", "signature", signed(ALICE.sign(plain))
    yield "the header was changed afterwards", "signature", seal(cbor(good | {5: 1}), signature=signature)
    yield "a signature of zeros", "signature", signed(bytes(64))
    for shows, point in (("order 1", number(1)), ("order 1, not canonical", number(2**255 - 18)),
                         ("order 1, the sign bit set", number(2**255 + 1))):
        # R = a B and S = a: the equation holds for every message.
        forged = BOB.public + number(BOB.secret() % ORDER)
        yield f"the author's key is of {shows}", "signature", seal(cbor(good | {4: point}), signature=forged)
    identity = number(1)
    challenge = int.from_bytes(hashlib.sha512(identity + ALICE.public + to_be_signed(plain)).digest(), "little")
    yield "R is of order 1, and the equation holds", "signature", signed(
        identity + number(challenge * ALICE.secret() % ORDER))
    yield "the author's key is not on the curve", "signature", seal(cbor(good | {4: number(2)}))
    yield "another network", "network", seal(cbor(good | {3: bytes(16)}), net=bytes(16))
    yield "COSE's tag 18", "form", b"\xd2" + sound
    yield "a byte behind the record", "form", sound + b"\0"
    yield "the last byte is missing", "form", sound[:-1]
    yield "no bytes", "form", b""
    yield "an indefinite array", "form", b"\x9f" + sound[1:] + b"\xff"
    yield "an array's head longer than it need be", "form", b"\x98\x04" + sound[1:]
    yield "five parts", "form", b"\x85" + sound[1:] + b"\0"
    yield "three parts", "form", b"\x83" + cbor(PROTECTED) + cbor({}) + cbor(plain)
    yield "an unprotected header that is not empty", "form", cbor([PROTECTED, {4: b"key"}, plain, signature])
    yield "an unprotected header that is an indefinite map", "form", (
        b"\x84" + cbor(PROTECTED) + b"\xbf\xff" + cbor(plain) + cbor(signature))
    yield "no unprotected header", "form", cbor([PROTECTED, None, plain, signature])
    yield "the algorithm EdDSA, -8", "form", with_protected(cbor({1: -8}))
    yield "the algorithm ES256, -7", "form", with_protected(cbor({1: -7}))
    yield "a protected header with a key id", "form", with_protected(cbor({1: -19, 4: b"key"}))
    yield "an empty protected header", "form", with_protected(b"")
    yield "a protected header with a long head", "form", with_protected(bytes.fromhex("a1013812"))
    yield "a protected header that is a map", "form", cbor([{1: -19}, {}, plain, signature])
    yield "a header that is no byte string", "form", cbor([PROTECTED, {}, good, signature])
    yield "a header that is nil", "form", cbor([PROTECTED, {}, None, signature])
    yield "a byte string's head of the header longer than it need be", "form", (
        b"\x84" + cbor(PROTECTED) + b"\xa0\x5a" + len(plain).to_bytes(4, "big") + plain + cbor(signature))
    yield "a signature of 63 bytes", "form", cbor([PROTECTED, {}, plain, signature[:63]])
    yield "a signature of 65 bytes", "form", cbor([PROTECTED, {}, plain, signature + b"\0"])
    largest = [header for shows, _, header, _ in good_records() if shows == "the largest record"][0]
    yield "60,001 bytes", "size", seal(cbor(largest | {13: largest[13] + b"\0"}))


def bad_records():
    yield from bad_envelopes()
    for shows, fault, header in (*bad_encodings(), *bad_fields()):
        yield shows, fault, seal(header)


def bad_ids(text):
    yield "nothing", ""
    yield "upper case", text.upper()
    yield "another prefix", "loam2" + text[5:]
    yield "without a prefix", text[5:]
    yield "padding", text + "===="
    yield "a character more", text + "a"
    yield "a character fewer", text[:-1]
    yield "a bit beyond the digest", text[:-1] + {"a": "b", "q": "r"}[text[-1]]
    yield "a character that base32 does not have", text[:9] + "1" + text[10:]
    yield "a space", text[:9] + " " + text[10:]


def make():
    good = []
    for shows, key, header, body in good_records():
        header |= {4: key.public}
        record = seal(cbor(header), key)
        entry = {"shows": shows, "key": key.name, "bytes": written(record), "id": record_id(record),
                 "header": as_json(header)}
        if body is not None:
            entry |= {"salt": SALT.hex(), "body": body.hex()}
        good.append(entry)
    bad = [{"shows": shows, "fault": fault, "bytes": written(record)}
           for shows, fault, record in bad_records()]
    return {
        "about": [{"made": "by tests/formats/make_records.py; the format is docs/formats/record.md"}],
        "net": NET.hex(),
        "keys": [{"name": key.name, "seed": key.seed.hex(), "public": key.public.hex()} for key in (ALICE, BOB, LOG)],
        "good": good,
        "bad": bad,
        "ids": [{"shows": shows, "text": text} for shows, text in bad_ids(good[0]["id"])],
        "payloads": [{"kind": kind, "shows": shows, "bytes": payload.hex(), "valid": valid}
                     for kind, shows, payload, valid in payloads()],
        "bodies": [{"shows": shows, "bytes": written(body), "valid": valid, "bucket": bucket(len(body)),
                    "commitment": commitment(SALT, body).hex()} for shows, body, valid in bodies()],
        "salt": SALT.hex(),
    }


def main():
    write = "--write" in sys.argv
    path = sys.argv[-1]
    lists = make()
    lines = []
    for name, value in lists.items():
        if isinstance(value, list):
            lines.append(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(item) for item in value) + "\n]")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value)}")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if write:
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    else:
        with open(path, encoding="ascii") as kept:
            assert kept.read() == text, f"{path} is not what this program makes"
    print(f"{len(lists['good'])} good and {len(lists['bad'])} bad records, {len(lists['payloads'])} payloads, "
          f"{len(lists['bodies'])} bodies")


if __name__ == "__main__":
    main()
