#!/usr/bin/env python3
"""A verifier of docs/formats/record.md and docs/formats/log.md, written from those pages on cbor2 and cryptography.

    record_check.py FILE                            checks the vectors: records.json, acceptance.json in src/ledger/testdata
    record_check.py URL --key KEY [--old FILE]      reads the log of a node or mirror at URL/log/ and checks all of it

Prints one line, and exits 1 with the reason if anything is wrong. FILE of --old is a checkpoint that was seen before.
"""
import argparse
import base64
import hashlib
import json
import re
import sys
import urllib.error
import urllib.request

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECORD_BYTES_MAX, BODY_BYTES_MAX = 60_000, 2**20
PROTECTED = bytes.fromhex("a10132")
FIELD_PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME
SMALL_ORDER_Y = {int.from_bytes(bytes.fromhex(y), "little") for y in (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}
SUCCESSIONS_MAX = 52


class Fault(Exception):
    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def require(condition, text, kind="form"):
    if not condition:
        raise Fault(kind, text)


# --- record.md: one encoding -----------------------------------------------------------------------


def check_plain(value, depth, depth_max, budget):
    """Only what the encoding knows; cbor2 would decode far more."""
    require(depth <= depth_max, "nested too deeply")
    budget[0] -= 1
    require(budget[0] >= 0, "too many items")
    if type(value) is int:
        require(-2**63 <= value < 2**63, "an integer beyond 64 bits")
    elif type(value) is list:
        for item in value:
            check_plain(item, depth + 1, depth_max, budget)
    elif type(value) is dict:
        for key, item in value.items():
            require(type(key) in (int, str), "a key that is no integer and no text")
            check_plain(item, depth + 1, depth_max, budget)
    else:
        require(type(value) in (str, bytes, bool, type(None)), f"a {type(value).__name__}")


def decode(content, depth_max=8, items_max=500_000):
    try:
        value = cbor2.loads(content, max_depth=depth_max + 2, allow_indefinite=False, allow_duplicate_keys=False)
    except Exception as error:  # of many types: a tag may name any of a library's own
        raise Fault("form", f"not CBOR: {error}") from None
    check_plain(value, 0, depth_max, [items_max])
    require(cbor2.dumps(value, canonical=True) == content, "not the one encoding")
    return value


def is_integer(value, low, high):
    return type(value) is int and low <= value <= high


def is_bytes(value, size):
    return type(value) is bytes and len(value) == size


# --- record.md: Ed25519 ----------------------------------------------------------------------------


def is_unambiguous(point):
    y = int.from_bytes(point, "little") % 2**255
    return y < FIELD_PRIME and y not in SMALL_ORDER_Y


def is_key(key):
    if not is_unambiguous(key):
        return False
    y = int.from_bytes(key, "little") % 2**255
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, FIELD_PRIME) % FIELD_PRIME
    return pow(square, (FIELD_PRIME - 1) // 2, FIELD_PRIME) in (0, 1)


def is_signed(key, message, signature):
    if int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    if not is_unambiguous(key) or not is_unambiguous(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- record.md: header, payload, body --------------------------------------------------------------

ANY = range(65)
# number: name, body, references, payload, whole hours
KINDS = {
    1: ("data", True, [0], False, True),
    2: ("edit", True, [1], False, True),
    3: ("vote", False, [1], True, True),
    4: ("receipt", False, ANY, True, True),
    5: ("attestation", False, ANY, True, True),
    6: ("publication", False, ANY, True, False),
    7: ("key", False, [0], True, False),
    8: ("node", False, [0], True, False),
    9: ("retraction", False, [1], True, True),
    10: ("checkpoint", False, [0], True, False),
    11: ("evidence", False, ANY, True, False),
}


def is_digests(value, most):
    return type(value) is list and 1 <= len(value) <= most and all(is_bytes(item, 32) for item in value)


TYPES = {
    1: lambda value: is_integer(value, 0, 2**63 - 1),
    2: lambda value: is_integer(value, 0, 2**63 - 1),
    3: lambda value: is_bytes(value, 16),
    4: lambda value: is_bytes(value, 32),
    5: lambda value: is_integer(value, 0, 2**63 - 1),
    6: lambda value: is_integer(value, 0, 253402300799),
    7: lambda value: is_bytes(value, 32),
    8: lambda value: is_integer(value, 0, 20),
    9: lambda value: is_digests(value, 64),
    10: lambda value: type(value) is str and re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", value),
    11: lambda value: is_bytes(value, 32),
    12: lambda value: is_digests(value, 16),
    13: lambda value: type(value) is bytes and value,
    15: lambda value: is_integer(value, 1, 3),
    16: lambda value: is_bytes(value, 32),
}


def check_header(header):
    require(type(header) is dict, "the header is no map")
    for field, value in header.items():
        require(field in TYPES, f"field {field}")
        require(TYPES[field](value), f"field {field} has a wrong value")
    for field in (1, 2, 3, 4, 5, 6, 16):
        require(field in header, f"field {field} is missing")
    require(header[1] == 1, f"version {header[1]}", "version")
    require(header[2] in KINDS, f"kind {header[2]}", "version")
    name, body, references, payload, hours = KINDS[header[2]]
    for field in (7, 8, 10, 15):
        require((field in header) == body, f"field {field} in a {name}")
    require(body or not {11, 12} & header.keys(), f"a body's fields in a {name}")
    require(len(header.get(9, [])) in references, f"references of a {name}")
    require((13 in header) == payload, f"payload of a {name}")
    require(not hours or header[6] % 3600 == 0, f"the time of a {name} is not a whole hour")


def verify_record(content, net):
    """The header of a record that is right in all that it says of itself."""
    require(len(content) <= RECORD_BYTES_MAX, f"{len(content)} bytes", "size")
    parts = decode(content)
    require(type(parts) is list and len(parts) == 4, "not a list of four")
    protected, unprotected, payload, signature = parts
    require(protected == PROTECTED, "another protected header")
    require(unprotected == {} and type(unprotected) is dict, "an unprotected header")
    require(type(payload) is bytes and is_bytes(signature, 64), "no payload or signature")
    header = decode(payload)
    check_header(header)
    require(header[3] == net, "another network", "network")
    message = cbor2.dumps(["Signature1", PROTECTED, b"loam.rec.v1" + net, payload])
    require(is_signed(header[4], message, signature), "the signature is wrong", "signature")
    return header


def decode_payload(kind, content):
    value = decode(content)
    require(type(value) is dict, "no map")
    if kind == "key":
        require(value.keys() <= {1, 2}, "an unknown key")
        require(all(is_bytes(key, 32) and is_key(key) for key in value.values()), "not a public key")
        return value
    if kind == "publication":
        require({1, 2, 3, 5} <= value.keys() <= {1, 2, 3, 4, 5, 6}, "missing or unknown keys")
        require(is_integer(value[1], 1, 4), "an unknown type")
        require(type(value[2]) is str and re.fullmatch(r"[a-z0-9][a-z0-9._:/-]{0,127}", value[2]), "a name")
        require(type(value[5]) is str and re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", value[5]), "a licence")
        require(is_bytes(value[3], 32) and is_bytes(value.get(4, value[3]), 32), "a hash")
        models = value.get(6, [bytes(32)])
        require(type(models) is list and 1 <= len(models) <= 16 and all(is_bytes(model, 32) for model in models), "models")
        return value
    if kind == "attestation":
        require(value.keys() in ({1, 2}, {1, 2, 3, 4}), "missing or unknown keys")
        require(is_integer(value[1], 1, 3), "an unknown verdict")
        require(all(is_bytes(value[field], 32) for field in value.keys() - {1}), "a hash or nonce")
        return value
    if kind == "commitment":
        require(value.keys() == {5} and is_bytes(value[5], 32), "not a commitment")
        return value
    low, high = {"vote": (-1, 1), "retraction": (1, 4)}[kind]
    require(value.keys() == {1} and is_integer(value[1], low, high), f"not a {kind}")
    return value


def check_body(content):
    require(len(content) <= BODY_BYTES_MAX, f"{len(content)} bytes")
    body = decode(content)

    def check_texts(value):
        if type(value) is dict:
            require(all(type(key) is str for key in value), "a key that is no text")
            value = list(value.values())
        for item in value if type(value) is list else ():
            check_texts(item)

    require(type(body) is dict, "no map")
    check_texts(body)
    wanted = {"v", "messages", "model", "lang", "masked", "replayable"}
    require(body.keys() - {"replay"} == wanted, "other fields")
    require(type(body["v"]) is int and body["v"] == 1, "another version")
    require(type(body["model"]) is str and type(body["lang"]) is str, "model or lang")
    require(is_integer(body["masked"], 0, 2**32 - 1), "masked")
    require(type(body["replayable"]) is bool and body["replayable"] == ("replay" in body), "replayable")
    require("replay" not in body or (body["replay"] is not None and body["masked"] == 0), "replay")
    require(type(body["messages"]) is list and 1 <= len(body["messages"]) <= 1000, "messages")
    for message in body["messages"]:
        require(type(message) is dict and message.keys() == {"role", "content", "origin"}, "a message")
        require(all(type(value) is str for value in message.values()), "a message's texts")
        require(message["role"], "an empty role")
        require(message["origin"] in ("human", "model", "mixed", "unknown"), "an origin")


def check_commitment(header, salt, body):
    require(hashlib.sha256(b"loam.body.v1\0" + salt + body).digest() == header[7], "not what was committed to")
    require(max(len(body) - 1, 0).bit_length() == header[8], "another size bucket")


def id_text(identity):
    return "loam1" + base64.b32encode(identity).decode().rstrip("=").lower()


def parse_id(text):
    require(re.fullmatch("loam1[a-z2-7]{51}[aq]", text), "no record id")
    return base64.b32decode(text[5:].upper() + "====")


# --- log.md: notes and trees -----------------------------------------------------------------------


def from_base64(text):
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Fault("form", f"base64: {error}") from None
    require(base64.b64encode(content).decode() == text, "base64 with stray bits")
    return content


class LogKey:
    def __init__(self, text):
        parts = text.split("+", 2)
        require(len(parts) == 3, "the key is not of the form NAME+HASH+KEY")
        typed = from_base64(parts[2])
        require(len(typed) == 33 and typed[0] == 1 and is_key(typed[1:]), "the key is no Ed25519 key")
        self.origin, self.public = parts[0], typed[1:]
        self.hash = hashlib.sha256(self.origin.encode() + b"\n" + typed).digest()[:4]
        require(parts[1] == self.hash.hex(), "the key's hash is wrong")
        named = re.fullmatch("loam/([0-9a-f]{32})/([0-9a-f]{64})", self.origin)
        require(named and named[2] == self.public.hex(), "the key's name is not that of a log of its own")
        self.net = bytes.fromhex(named[1])


def open_checkpoint(note, key):
    """(size, root) of a checkpoint that `key` signed."""
    require(len(note) <= 2**20, "the checkpoint is too long")
    try:
        text = note.decode()
    except UnicodeDecodeError:
        raise Fault("form", "the checkpoint is not UTF-8") from None
    require(not re.search("[\0-\x09\x0b-\x1f]", text), "the checkpoint has control characters")
    body, gap, signatures = text.rpartition("\n\n")
    require(gap and signatures.endswith("\n"), "the checkpoint is no signed note")
    body += "\n"
    lines = signatures[:-1].split("\n")
    require(len(lines) <= 100, "too many signatures")
    own = 0
    for line in lines:
        parts = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
        require(parts, "a line that is no signature")
        content = from_base64(parts[2])
        require(len(content) > 4, "a line that is no signature")
        if parts[1] == key.origin and content[:4] == key.hash:
            require(len(content) == 68 and is_signed(key.public, body.encode(), content[4:]),
                    "the checkpoint's signature is wrong")
            own += 1
    require(own, "the checkpoint is not signed by the key")
    lines = body[:-1].split("\n")
    require(len(lines) >= 3 and all(lines), "the checkpoint has not three lines")
    require(lines[0] == key.origin, "the checkpoint is that of another log")
    require(re.fullmatch("0|[1-9][0-9]{0,19}", lines[1]) and int(lines[1]) < 2**64, "the checkpoint's size")
    root = from_base64(lines[2])
    require(len(root) == 32, "the checkpoint's root")
    return int(lines[1]), root


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def tree_root(leaves):
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:])).digest()


# --- log.md: what a log accepts --------------------------------------------------------------------


class State:
    """What the entries so far mean."""

    def __init__(self, key):
        self.net, self.log = key.net, hashlib.sha256(key.public).digest()
        self.authors, self.records, self.retracted = {}, {}, set()

    def speaks_for(self, key, author):
        if self.authors[author]["recovery"] == key:
            return True
        for _ in range(SUCCESSIONS_MAX + 1):
            if key == author:
                return True
            key = self.authors.get(key, {}).get("predecessor")
        return False

    def change_keys(self, key, author, change):
        """What the author is afterwards; the keys that the change names are entered."""
        new = {"seq": 0, "ended": False, "recovery": None, "predecessor": None}
        if 2 in change:
            require(change[2] not in (key, change.get(1)) and self.authors.get(change[2], {"ended": True})["ended"],
                    "its recovery key is in use")
            author = author | {"recovery": change[2]}
        if 1 in change:
            require(change[1] not in self.authors and change[1] != key, "its successor is not new")
            self.authors[change[1]] = new | {"recovery": author["recovery"], "predecessor": key}
        if 2 in change:
            self.authors.setdefault(change[2], new | {"ended": True})
        return author | {"ended": 1 in change or not change}

    def accept(self, entry):
        header = verify_record(entry, self.net)
        require(header[16] == self.log, "its author writes to another log")
        author = self.authors.get(header[4], {"seq": 0, "ended": False, "recovery": None, "predecessor": None})
        name = KINDS[header[2]][0]
        require(not author["ended"] or name == "retraction", "its author's key may only retract")
        require(header[5] == author["seq"], f"seq {header[5]} where {author['seq']} belongs")
        if name == "vote":
            decode_payload(name, header[13])
        elif name == "retraction":
            decode_payload(name, header[13])
            target = self.records.get(header[9][0])
            if target:
                require(self.speaks_for(header[4], target[4]), "it withdraws what somebody else wrote")
                require(KINDS[target[2]][0] not in ("key", "retraction"), "what it withdraws cannot be withdrawn")
            self.retracted.add(header[9][0])
        elif name == "key":
            author = self.change_keys(header[4], author, decode_payload(name, header[13]))
        self.authors[header[4]] = author | {"seq": author["seq"] + 1}
        identity = hashlib.sha256(entry).digest()
        self.records[identity] = header
        return identity


# --- reading a log ---------------------------------------------------------------------------------


def get(url):
    """(status, content)"""
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            content = reply.read(2**25 + 1)
            require(len(content) <= 2**25, f"{url} is too long")
            return reply.status, content
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, b""
    except (OSError, ValueError) as error:
        raise Fault("network", f"{url}: {error}") from None


def grouped(number):
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


def read_bundle(base, number, width):
    path = f"{base}/tile/entries/{grouped(number)}"
    status, content = get(path if width == 256 else f"{path}.p/{width}")
    if status == 404 and width < 256:
        status, content = get(path)
    require(status == 200, f"{path}: answer {status}")
    return split_bundle(path, content, width)


def split_bundle(path, content, width):
    """The first `width` entries of a bundle that has so many, or is full."""
    entries = []
    while content:
        length = int.from_bytes(content[:2], "big")
        require(len(content) >= 2 + length, f"{path}: its lengths do not add up")
        entries.append(content[2:2 + length])
        content = content[2 + length:]
    require(len(entries) in (width, 256), f"{path}: {len(entries)} entries where {width} belong")
    return entries[:width]


def read_entries(bundle_of, size, root, key):
    """What the entries mean, and their leaves; `bundle_of(number, width)` gives the entries."""
    state, leaves = State(key), []
    for number in range((size + 255) // 256):
        for entry in bundle_of(number, min(256, size - 256 * number)):
            try:
                state.accept(entry)
            except Fault as fault:
                raise Fault(fault.kind, f"entry {len(leaves)}: {fault}") from None
            leaves.append(leaf_hash(entry))
    require(tree_root(leaves) == root, "the entries do not give the checkpoint's root")
    return state, leaves


def check_bodies(base, state):
    """How many bodies were right, and how many are not there."""
    right = missing = 0
    for identity, header in state.records.items():
        if 7 not in header:
            continue
        name = id_text(identity)
        status, content = get(f"{base}/body/{name}")
        if status in (404, 410, 451):
            missing += 1
            continue
        require(status == 200, f"body {name}: answer {status}")
        require(identity not in state.retracted, f"body {name}: it was retracted and is still served")
        try:
            try:
                value = json.loads(content)
                salt, body = from_base64(value["salt"]), from_base64(value["body"])
            except (ValueError, KeyError, TypeError) as error:
                raise Fault("form", f"not a salt and a body: {error!r}") from None
            require(len(salt) == 32, "a salt that is not of 32 bytes")
            check_commitment(header, salt, body)
            check_body(body)
        except Fault as fault:
            raise Fault(fault.kind, f"body {name}: {fault}") from None
        right += 1
    return right, missing


def check_log(url, key, old):
    base = url.rstrip("/") + "/log"
    status, note = get(f"{base}/checkpoint")
    require(status == 200, f"{base}/checkpoint: answer {status}")
    size, root = open_checkpoint(note, key)
    state, leaves = read_entries(lambda number, width: read_bundle(base, number, width), size, root, key)
    if old is not None:
        old_size, old_root = open_checkpoint(old, key)
        require(old_size <= size, f"the log has {size} entries and had {old_size}")
        require(tree_root(leaves[:old_size]) == old_root, "the log does not go on from the old checkpoint")
    right, missing = check_bodies(base, state)
    return (f"ok: {size} records by {len(state.authors)} authors, {len(state.retracted)} retracted; "
            f"{right} bodies are right, {missing} are not there")


# --- vectors ---------------------------------------------------------------------------------------


def content_of(value):
    if isinstance(value, str):
        return bytes.fromhex(value)
    return (bytes.fromhex(value["before"]) + bytes.fromhex(value["repeat"]) * value["times"]
            + bytes.fromhex(value["after"]))


def fault_of(check, *arguments):
    """The kind of the fault that `check` finds, or None."""
    try:
        check(*arguments)
    except Fault as fault:
        return fault.kind
    return None


def expected_header(meant):
    """The fields by number, from their names."""
    numbers = {"net": 3, "author": 4, "body_commitment": 7, "consent": 11, "payload": 13, "log_key_hash": 16}
    out = {1: 1, 2: {name: number for number, (name, *_) in KINDS.items()}[meant["kind"]]}
    out |= {number: content_of(meant[name]) for name, number in numbers.items() if name in meant}
    out |= {number: meant[name] for name, number in
            {"seq": 5, "time": 6, "body_bucket": 8, "licence": 10}.items() if name in meant}
    if "refs" in meant:
        out[9] = [parse_id(text) for text in meant["refs"]]
    if "models" in meant:
        out[12] = [bytes.fromhex(model) for model in meant["models"]]
    if "scope" in meant:
        out[15] = sum({"train": 1, "eval": 2}[name] for name in meant["scope"])
    return out


def check_cases(vectors):
    key = LogKey(vectors["verifier_key"])
    for case in vectors["cases"]:
        state, entries = State(key), [bytes.fromhex(entry) for entry in case["entries"]]
        for entry in entries[:-1]:
            state.accept(entry)
        found = fault_of(state.accept, entries[-1])
        require((found is None) == case["accepted"], f"{case['shows']}: {found}")
    return f"ok: {len(vectors['cases'])} cases of what a log accepts"


def check_vectors(path):
    with open(path, encoding="ascii") as file:
        vectors = json.load(file)
    if "cases" in vectors:
        return check_cases(vectors)
    net = bytes.fromhex(vectors["net"])
    for vector in vectors["good"]:
        record = content_of(vector["bytes"])
        header = verify_record(record, net)
        require(header == expected_header(vector["header"]), f"{vector['shows']}: another header")
        require(id_text(hashlib.sha256(record).digest()) == vector["id"], f"{vector['shows']}: another id")
        if "body" in vector:
            check_commitment(header, bytes.fromhex(vector["salt"]), content_of(vector["body"]))
            check_body(content_of(vector["body"]))
    for vector in vectors["bad"]:
        found = fault_of(verify_record, content_of(vector["bytes"]), net)
        require(found == vector["fault"], f"{vector['shows']}: the fault found is {found}, not {vector['fault']}")
    for vector in vectors["ids"]:
        require(fault_of(parse_id, vector["text"]), f"id, {vector['shows']}: was read")
    for vector in vectors["payloads"]:
        found = fault_of(decode_payload, vector["kind"], content_of(vector["bytes"]))
        require((found is None) == vector["valid"], f"{vector['kind']}, {vector['shows']}: {found}")
    for vector in vectors["bodies"]:
        body = content_of(vector["bytes"])
        found = fault_of(check_body, body)
        require((found is None) == vector["valid"], f"body, {vector['shows']}: {found}")
        check_commitment({7: bytes.fromhex(vector["commitment"]), 8: vector["bucket"]},
                         bytes.fromhex(vectors["salt"]), body)
    return f"ok: {len(vectors['good'])} good and {len(vectors['bad'])} bad records, and what belongs to them"


def main():
    parser = argparse.ArgumentParser(prog="record_check.py", description=__doc__.splitlines()[0])
    parser.add_argument("where", metavar="FILE|URL")
    parser.add_argument("--key", help="the log's verifier key, NAME+HASH+KEY")
    parser.add_argument("--old", metavar="FILE", help="a checkpoint that was seen before")
    chosen = parser.parse_args()
    try:
        if "://" not in chosen.where:
            print(check_vectors(chosen.where))
            return 0
        if not chosen.key:
            parser.error("a log is checked with --key")
        old = None
        if chosen.old:
            with open(chosen.old, "rb") as file:
                old = file.read()
        print(check_log(chosen.where, LogKey(chosen.key), old))
        return 0
    except Fault as fault:
        print(f"wrong: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
