"""Verifiers that share no code with Loam, on logs that share none either: the good ones pass, each fault is named.

tests/formats/record_check.py reads every record and body; tests/log/verify is a Go program on golang.org/x/mod. The
logs are written by tests/formats/make_log.py. `go` must be in PATH; a missing one is a failure, never a skip.
"""
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import ROOT

FORMATS = ROOT / "tests" / "formats"
TESTDATA = ROOT / "src" / "ledger" / "testdata"
sys.path.insert(0, str(FORMATS))

import make_log  # noqa: E402
import make_records  # noqa: E402
import record_check  # noqa: E402


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves the server's `folder` below /log/, and 410 for bodies in `gone`."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.removeprefix("/log/")
        path = self.server.folder / name
        status, content = 404, b"{}"
        if name.removeprefix("body/") in self.server.gone:
            status = 410
        elif self.path.startswith("/log/") and ".." not in name and path.is_file():
            status, content = 200, path.read_bytes()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="session")
def sample():
    return make_log.sample_log(600)


@pytest.fixture
def served(tmp_path, sample, go_verifier):
    """A fresh copy of the sample log, published at 100, 300 and 600 entries, behind a server."""
    mirror = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    mirror.daemon_threads = True
    mirror.folder, mirror.gone = tmp_path / "log", set(sample.retracted)
    mirror.checkpoints = dict(zip((100, 300, 600), sample.write(mirror.folder, sizes=(100, 300))))
    mirror.url = f"http://127.0.0.1:{mirror.server_address[1]}"
    mirror.go = go_verifier
    thread = threading.Thread(target=mirror.serve_forever, args=(0.02,))
    thread.start()
    yield mirror
    mirror.shutdown()
    thread.join()
    mirror.server_close()


def verify(program, served, old=None, key=None, more=()):
    """The finished process of one verifier."""
    dashes = {"go": "-", "python": "--"}[program]
    command = [served.go, "-url", served.url] if program == "go" else [
        sys.executable, FORMATS / "record_check.py", served.url]
    command += [f"{dashes}key", key or make_log.verifier_key(), *more]
    if old is not None:
        path = served.folder.parent / "old"
        path.write_bytes(old)
        command += [f"{dashes}old", path]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def refused(program, served, reason, **more):
    """`reason` is part of what it says: a text, or one for each program."""
    done = verify(program, served, **more)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    assert (reason[program] if isinstance(reason, dict) else reason) in done.stderr, done.stderr


def passes(program, served, **more):
    done = verify(program, served, **more)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def flip(path, at=40):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


both = pytest.mark.parametrize("program", ["go", "python"])


# --- what is right ---------------------------------------------------------------------------------


def test_python_reads_every_record_and_body(served, sample):
    said = passes("python", served)
    gone = len(sample.retracted)
    assert gone > 50 and len(sample.bodies) > 300
    assert said == (f"ok: 600 records by 4 authors, {gone} retracted; {len(sample.bodies) - gone} bodies are right, "
                    f"{gone} are not there\n")


def test_go_proves_every_entry(served):
    assert passes("go", served) == "ok: 600 entries, 600 proved\n"
    assert passes("go", served, more=["-sample", "60"]) == "ok: 600 entries, 60 proved\n"


@both
@pytest.mark.parametrize("size", [100, 300, 600])
def test_it_goes_on_from_an_older_checkpoint(program, served, size):
    passes(program, served, old=served.checkpoints[size])


@both
def test_a_full_tile_stands_in_for_its_parts(program, served):
    """Who read the checkpoint a moment ago asks for partial tiles that are gone."""
    (served.folder / "checkpoint").write_bytes(served.checkpoints[300])
    assert not (served.folder / "tile" / "entries" / "001.p").exists()
    passes(program, served, old=served.checkpoints[100])


@both
@pytest.mark.parametrize("size", [1, 2, 255, 256, 257])
def test_every_shape_of_tree(program, served, sample, size):
    shutil.rmtree(served.folder)
    make_log.publish(served.folder, sample.entries[:size])
    passes(program, served)


@both
def test_further_lines_and_signatures_do_not_matter(program, served):
    checkpoint = served.checkpoints[600]
    other = make_log.sign_checkpoint(600, bytes(32), make_log.BOB, "example.com/witness").split(b"\n\n")[1]
    (served.folder / "checkpoint").write_bytes(checkpoint + other)
    passes(program, served)


# --- what is wrong, and both see -------------------------------------------------------------------


@both
def test_a_changed_record_is_seen(program, served):
    flip(served.folder / "tile" / "entries" / "001", 5000)
    refused(program, served, "entry 2")


@both
@pytest.mark.parametrize("name", ["000", "001", "002.p/88"])
def test_a_missing_bundle_is_seen(program, served, name):
    (served.folder / "tile" / "entries" / name).unlink()
    refused(program, served, name[:3])


@both
@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b + b"\0\1x", lambda b: b"",
                                    lambda b: b[2 + int.from_bytes(b[:2], "big"):]])
def test_a_bundle_that_does_not_add_up_is_seen(program, served, change):
    path = served.folder / "tile" / "entries" / "002.p" / "88"
    path.write_bytes(change(path.read_bytes()))
    refused(program, served, "2")


@both
def test_a_checkpoint_that_was_changed_is_seen(program, served):
    path = served.folder / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n600\n", b"\n300\n"))
    refused(program, served, "signature")


@both
def test_another_key_is_no_log_key(program, served, sample):
    root = make_log.root_of(sample.entries)
    (served.folder / "checkpoint").write_bytes(make_log.sign_checkpoint(600, root, make_log.BOB))
    refused(program, served, "sign")


@both
def test_a_log_of_another_name_is_another_log(program, served, sample):
    root = make_log.root_of(sample.entries)
    (served.folder / "checkpoint").write_bytes(make_log.sign_checkpoint(600, root, origin="loam/other"))
    refused(program, served, "sign")


@both
def test_a_root_that_the_entries_do_not_give_is_seen(program, served, sample):
    (served.folder / "checkpoint").write_bytes(make_log.sign_checkpoint(600, make_log.root_of(sample.entries[:599])))
    refused(program, served, {"go": "inconsistent tile", "python": "the entries do not give the checkpoint's root"})


@both
def test_a_missing_checkpoint_is_seen(program, served):
    (served.folder / "checkpoint").unlink()
    refused(program, served, "checkpoint")


@both
def test_a_fork_is_seen(program, served):
    """The log's own key signs another history: only the older checkpoint tells."""
    forked = make_log.Log()
    for number in range(350):
        forked.add("receipt", make_log.BOB, _13=bytes(number % 7 + 1))
    shutil.rmtree(served.folder)
    make_log.publish(served.folder, forked.entries)
    passes(program, served)
    refused(program, served, {"go": "consistency: ", "python": "does not go on"}, old=served.checkpoints[300])


@both
def test_a_log_that_became_shorter_is_seen(program, served, sample):
    shutil.rmtree(served.folder)
    make_log.publish(served.folder, sample.entries[:300])
    refused(program, served, "600", old=served.checkpoints[600])


@pytest.mark.parametrize("name", ["0/000", "0/001", "0/002.p/88", "1/000.p/2"])
def test_go_sees_a_changed_tile(served, name):
    """By its parent, or because the proof made from it does not lead to the root (tests/log/verify/source.go)."""
    flip(served.folder / "tile" / name)
    refused("go", served, "entry ")


@pytest.mark.parametrize("name", ["0/000", "0/001"])
def test_a_forged_record_with_its_tile_does_not_pass(served, sample, name):
    """Leaf and bundle agree, the levels above do not: nothing but the whole way to the root tells."""
    number = int(name[-3:]) * 256
    forged = make_records.seal(make_records.cbor(make_records.header_of("node", _13=b"forged")))
    entries = [*sample.entries[:number], forged, *sample.entries[number + 1:number + 256]][number:]
    (served.folder / "tile" / "entries" / name[2:]).write_bytes(
        b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))
    (served.folder / "tile" / name).write_bytes(b"".join(make_log.leaf_hash(entry) for entry in entries))
    refused("go", served, f"entry {number}: ")
    refused("python", served, f"entry {number}: " if number else "the entries do not give the checkpoint's root")


# --- what is wrong inside a log that is right, and only a reader of records sees -------------------


def republished(served, entries):
    shutil.rmtree(served.folder / "tile")
    make_log.publish(served.folder, entries)
    passes("go", served)


def test_records_out_of_order_are_seen(served, sample):
    entries = list(sample.entries)
    entries[0:2] = entries[1::-1]
    republished(served, entries)
    refused("python", served, "entry 0: seq 1 where 0 belongs")


def test_a_record_left_out_is_seen(served, sample):
    republished(served, sample.entries[:8] + sample.entries[9:])
    refused("python", served, "seq")


def test_a_record_twice_is_seen(served, sample):
    republished(served, sample.entries[:8] + sample.entries[7:])
    refused("python", served, "entry 8: seq")


BAD = [vector for vector in json.loads((TESTDATA / "records.json").read_text())["bad"] if vector["fault"] != "size"]


@pytest.mark.parametrize("vector", BAD[::12], ids=lambda vector: vector["shows"])
def test_a_bad_record_is_seen(served, vector):
    republished(served, [record_check.content_of(vector["bytes"])])
    refused("python", served, "entry 0: ")


def posts(log, case):
    """Adds what no log may take, by the name of the case."""
    question = log.add_body("data", make_log.ALICE, "Why?")
    if case == "withdraws what somebody else wrote":
        log.retract(make_log.BOB, question)
    elif case == "cannot be withdrawn":
        log.retract(make_log.ALICE, question)
        log.retract(make_log.ALICE, make_log.hashlib.sha256(log.entries[-1]).digest())
    elif case == "may only retract":
        log.add("key", make_log.ALICE, _13=make_records.cbor({}))
        log.retract(make_log.ALICE, question)
        log.add("vote", make_log.ALICE, _9=[question], _13=make_records.cbor({1: 1}))
    elif case == "successor is not new":
        log.add("key", make_log.ALICE, _13=make_records.cbor({1: make_log.ALICE.public}))
    elif case == "not a vote":
        log.add("vote", make_log.BOB, _9=[question], _13=make_records.cbor({1: 2}))
    elif case == "another log":
        log.add("node", make_log.BOB, _13=b"\0", _16=bytes(32))


@pytest.mark.parametrize("case", ["withdraws what somebody else wrote", "cannot be withdrawn", "may only retract",
                                  "successor is not new", "not a vote", "another log"])
def test_what_no_log_may_take_is_seen(served, case):
    log = make_log.Log()
    posts(log, case)
    republished(served, log.entries)
    refused("python", served, case)


# --- bodies ----------------------------------------------------------------------------------------


def a_body(served):
    return sorted((served.folder / "body").iterdir())[0]


@pytest.mark.parametrize("change", [
    lambda body: {**body, "salt": make_log.to_base64(bytes(32))},
    lambda body: {**body, "salt": make_log.to_base64(bytes(31))},
    lambda body: {**body, "body": make_log.to_base64(b"another")},
    lambda body: {**body, "body": body["body"] + "\n"},
    lambda body: {"body": body["body"]},
    lambda body: []], ids=["salt", "short salt", "body", "spelling", "no salt", "shape"])
def test_a_changed_body_is_seen(served, change):
    path = a_body(served)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    refused("python", served, path.name)


def test_a_retracted_body_that_is_still_served_is_seen(served, sample):
    name = sorted(sample.retracted)[0]
    served.gone.remove(name)
    (served.folder / "body" / name).write_text(json.dumps(sample.bodies[name]))
    refused("python", served, "it was retracted and is still served")


def test_a_body_that_is_not_there_says_nothing_against_the_log(served):
    a_body(served).unlink()
    passes("python", served)


# --- vectors ---------------------------------------------------------------------------------------


def test_the_vectors_are_what_the_page_says():
    for command in (["make_records.py", TESTDATA / "records.json"], ["record_check.py", TESTDATA / "records.json"],
                    ["make_acceptance.py", TESTDATA / "acceptance.json"], ["record_check.py", TESTDATA / "acceptance.json"]):
        subprocess.run([sys.executable, FORMATS / command[0], command[1]], check=True, capture_output=True)


def test_a_verdict_that_is_wrong_is_noticed(tmp_path):
    vectors = json.loads((TESTDATA / "records.json").read_text())
    vectors["bad"][3]["bytes"] = vectors["good"][0]["bytes"]
    (tmp_path / "records.json").write_text(json.dumps(vectors))
    done = subprocess.run([sys.executable, FORMATS / "record_check.py", tmp_path / "records.json"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "the fault found is None" in done.stderr


def test_the_rule_of_ed25519_is_that_of_the_node():
    vectors = json.loads((ROOT / "src" / "crypto" / "testdata" / "ed25519.json").read_text())
    for vector in vectors["signatures"]:
        key, message, signature = (bytes.fromhex(vector[name]) for name in ("key", "message", "signature"))
        assert record_check.is_signed(key, message, signature) == vector["valid"], vector["shows"]
    for vector in vectors["keys"]:
        assert record_check.is_key(bytes.fromhex(vector["key"])) == vector["valid"], vector["shows"]


def test_the_log_that_the_node_is_tested_with_is_what_the_page_says(tmp_path):
    make_log.sample_log(5).write(tmp_path, bodies=False)
    files = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = TESTDATA / "log"
    assert files == {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*") if path.is_file()}
