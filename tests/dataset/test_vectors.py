"""Verifiers of data sets that share no code with Loam: what is right passes, each single change is named.

tests/formats/dataset_check.py rebuilds a data set from docs/formats; tests/log/verify computes the roots with
golang.org/x/mod. They read the golden data set in src/dataset/testdata, and one that a running node's log gave. What is changed
below is changed with all hashes put right again, so that only its meaning is wrong.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

import harness
from harness import ROOT

FORMATS = ROOT / "tests" / "formats"
GOLDEN = ROOT / "src" / "dataset" / "testdata"
VECTORS = json.loads((GOLDEN / "roots.json").read_text())
sys.path.insert(0, str(FORMATS))

import dataset_check  # noqa: E402
import make_dataset  # noqa: E402
import record_check  # noqa: E402


class Made:
    """A data set that is right, copies of it to spoil, and copies of its logs with the bodies."""

    def __init__(self, folder, keys, logs, place):
        self.folder, self.keys, self.logs, self.place, self.copies = folder, keys, logs, place, 0

    def copy(self):
        self.copies += 1
        return shutil.copytree(self.folder, self.place / f"copy-{self.copies}")


def built_from_a_node(place):
    def loam(*arguments, text=None):
        ran = harness.run_loam(*arguments, home=node.home, url=node.url, text=text, env={"LOAM_API_KEY": node.token()})
        assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
        return ran.stdout.strip()

    with harness.Node(model="smollm2", settings=["load.threads=1"]) as node:
        records = []
        for seed, question in enumerate(["What is a lighthouse for?", "Why does bread rise?", "Warum ist Glas klar?", "Qu'est-ce?"]):
            loam("run", "smollm2", question, "--max-tokens", "12", "--seed", seed)
            records.append(json.loads(loam("share", "-y", "--now", "--json"))["record"])
        loam("rate", records[0], "up")
        loam("rate", records[1], "down")
        edited = loam("edit", records[2], "-", "-y", "-q", "--now", text="Weil nichts in ihm das Licht hält: weder Körner noch Risse.")
        loam("ledger", "show", edited)
        loam("retract", records[3])
        for _ in range(400):
            head = json.loads(loam("ledger", "head", "--json"))
            if head["published"] == head["size"]:
                break
        assert head["published"] == head["size"] == 8, head
        loam("data", "build", "--out", place / "set")
        loam("ledger", "export", place / "log")
    return Made(place / "set", [head["verifier_key"]], [next(path.parent for path in place.glob("log/**/checkpoint"))], place)


@pytest.fixture(scope="session", params=["golden", "node"])
def made(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    if request.param == "node":
        return built_from_a_node(place)
    logs = []
    for log in make_dataset.golden_logs():
        logs.append(place / f"log-{len(logs)}")
        log.write(logs[-1])
    return Made(GOLDEN / "set", VECTORS["verifier_keys"], logs, place)


def check(folder, keys, logs=()):
    command = [sys.executable, FORMATS / "dataset_check.py", folder]
    command += [item for key in keys for item in ("--key", key)] + [item for log in logs for item in ("--from", log)]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def refused(folder, made, reason, logs=()):
    done = check(folder, made.keys, logs)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    assert reason in done.stderr and "Traceback" not in done.stderr, done.stderr


def lines_of(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def write_lines(path, lines):
    path.write_bytes(b"".join(map(dataset_check.as_json, lines)))


def mend(folder):
    """Puts the hashes and counts right that another content of the files needs."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    reasons = [line["reason"] for line in lines_of(folder / "dropped.jsonl")]
    manifest["dropped"], manifest["reasons"] = len(reasons), {name: reasons.count(name) for name in sorted(set(reasons))}
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        file |= {"bytes": len(content), "lines": content.count(b"\n"), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_bytes(dataset_check.as_page(manifest))
    roots = json.loads((folder / "root.json").read_bytes())
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).digest()
    parts = bytes.fromhex(roots["rows_root"]) + bytes.fromhex(roots["used_root"]) + digest
    roots |= {"manifest_sha256": digest.hex(), "dataset_root": hashlib.sha256(b"loam.dataset.v1" + parts).hexdigest()}
    (folder / "root.json").write_bytes(dataset_check.as_page(roots))


# --- what is right ---------------------------------------------------------------------------------


def test_a_stranger_rebuilds_it(made):
    root = json.loads((made.folder / "root.json").read_text())["dataset_root"]
    done = check(made.folder, made.keys)
    assert done.returncode == 0 and done.stdout.startswith(f"ok: {root}, "), done.stderr
    # With the logs' texts every reason follows, and nothing is a claim.
    done = check(made.folder, made.keys, made.logs)
    assert done.returncode == 0 and done.stdout.endswith(" 0 reasons are claims\n"), done.stderr


def test_a_log_decides_nothing_about_the_authors_of_another(tmp_path, monkeypatch):
    monkeypatch.setenv("LOAM_BIN", str(harness.loam_program()))
    first, second = make_dataset.Log(), make_dataset.Log(make_dataset.Key("another log", 8))
    ann, ben, ben_lost_his_key, mallory, her_friend = (make_dataset.Key(name, 20 + i) for i, name in enumerate(
        ("ann", "ben", "lost", "mallory", "friend")))
    kept = first.talk(ann, "Why is the sky blue?", make_dataset.SKY)
    first.vote(ann, kept)
    withdrawn = first.talk(ben, "Why does bread rise?", make_dataset.BREAD)
    first.add("key", ben, _13=make_dataset.cbor({2: ben_lost_his_key.public}))
    # The second log has never met ann: it believes that she goes on from mallory, and may be recovered by the friend.
    second.vote(mallory, kept, -1)
    second.add("key", mallory, _13=make_dataset.cbor({2: her_friend.public}))
    second.add("key", mallory, _13=make_dataset.cbor({1: ann.public}))
    second.retract(her_friend, kept)
    second.retract(ben_lost_his_key, withdrawn)
    logs = make_dataset.build(tmp_path, (first, second))
    keys = [first.verifier_key(), second.verifier_key()]
    rows = {line["id"]: line["rating"] for line in lines_of(tmp_path / "set" / "sft.jsonl")}
    assert rows == {record_check.id_text(kept): 0}
    assert lines_of(tmp_path / "set" / "dropped.jsonl") == [{"id": record_check.id_text(withdrawn), "reason": "retracted"}]
    for given in (keys, keys[::-1]):
        done = check(tmp_path / "set", given, logs)
        assert done.returncode == 0 and done.stdout.endswith(" 0 reasons are claims\n"), done.stderr


def test_mending_what_is_right_changes_nothing(made):
    folder = made.copy()
    mend(folder)
    for name in ("manifest.json", "root.json"):
        assert (folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_the_roots_are_those_of_python_and_of_go(go_verifier):
    for command in ([sys.executable, FORMATS / "dataset_check.py"], [go_verifier, "-roots"]):
        done = subprocess.run([*map(str, command), GOLDEN / "roots.json"], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"ok: {len(VECTORS['cases'])} cases of roots\n"), done.stderr


@pytest.mark.parametrize("name", ["rows_root", "used_root", "dataset_root", "manifest_sha256", "rows", "used"])
def test_another_root_is_noticed(go_verifier, tmp_path, name):
    vectors = json.loads((GOLDEN / "roots.json").read_text())
    case = vectors["cases"][-1]
    case[name] = case[name][1:] if isinstance(case[name], list) else bytes(32).hex()
    (tmp_path / "roots.json").write_text(json.dumps(vectors))
    for command in ([sys.executable, FORMATS / "dataset_check.py"], [go_verifier, "-roots"]):
        assert subprocess.run([*map(str, command), tmp_path / "roots.json"], capture_output=True).returncode == 1


def test_the_golden_files_are_what_the_program_makes_now():
    done = subprocess.run([sys.executable, FORMATS / "make_dataset.py", GOLDEN], capture_output=True, text=True,
                          env={**os.environ, "LOAM_BIN": harness.loam_program()})
    assert done.returncode == 0, done.stderr


# --- what is wrong ---------------------------------------------------------------------------------


def test_a_byte_in_a_body_is_noticed(made):
    folder = made.copy()
    lines = lines_of(folder / "bodies.jsonl")
    at = len(lines[0]["body"]) // 2
    lines[0]["body"] = lines[0]["body"][:at] + ("A" if lines[0]["body"][at] != "A" else "B") + lines[0]["body"][at + 1:]
    write_lines(folder / "bodies.jsonl", lines)
    mend(folder)
    refused(folder, made, "bodies.jsonl, line 1: not what was committed to")


@pytest.mark.parametrize("view", ["sft", "kto", "dpo", "text"])
def test_a_byte_in_a_line_of_a_view_is_noticed(made, view):
    folder = made.copy()
    path = folder / f"{view}.jsonl"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    mend(folder)
    refused(folder, made, f"{view}.jsonl is not what follows")


def test_a_byte_in_the_manifest_is_noticed(made):
    content = (made.folder / "manifest.json").read_bytes()
    for at in range(0, len(content), len(content) // 12):
        folder = made.copy()
        (folder / "manifest.json").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
        refused(folder, made, "")


@pytest.mark.parametrize("member", ["rows", "used", "authors"])
def test_a_count_in_the_manifest_is_noticed(made, member):
    folder = made.copy()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest[member] += 1
    (folder / "manifest.json").write_bytes(dataset_check.as_page(manifest))
    mend(folder)
    refused(folder, made, "manifest.json is not what follows")


def test_a_row_that_is_missing_from_the_views_is_noticed(made):
    folder = made.copy()
    gone = lines_of(folder / "sft.jsonl")[0]["id"]
    for view in ("sft", "kto", "dpo", "text"):
        path = folder / f"{view}.jsonl"
        write_lines(path, [line for line in lines_of(path) if line["id"] != gone])
    mend(folder)
    refused(folder, made, "is not what follows")
    # Nor without its body: then its record is neither a row nor dropped.
    path = folder / "bodies.jsonl"
    write_lines(path, [line for line in lines_of(path) if line["id"] != gone])
    mend(folder)
    refused(folder, made, f"{gone}: the query may match it, and it is no row and not dropped")


def reasons_changed(made, change):
    """A copy in which `change` gave other lines of dropped.jsonl."""
    folder = made.copy()
    write_lines(folder / "dropped.jsonl", change(lines_of(folder / "dropped.jsonl")))
    mend(folder)
    return folder


def test_a_reason_that_headers_refute_is_noticed(made):
    def claim_a_lost_body(lines):
        return [{"id": line["id"], "reason": "no-body"} if line["reason"] == "retracted" else line for line in lines]

    def claim_a_withdrawal(lines):
        return [{"id": line["id"], "reason": "retracted"} if line["reason"] == "superseded" else line for line in lines]

    refused(reasons_changed(made, claim_a_lost_body), made, "dropped for no-body, and its reason is retracted")
    refused(reasons_changed(made, claim_a_withdrawal), made, "dropped for retracted, which does not hold")


def test_a_claim_is_refuted_by_the_texts(made):
    def change(lines):
        at = next(i for i, line in enumerate(lines) if line["reason"] == "superseded")
        named = next((i for i, line in enumerate(lines) if line["reason"] == "repetition"), at)
        return [{"id": line["id"], "reason": "no-answer"} if i == named else line for i, line in enumerate(lines)]

    # The original's own text is here where a person edited it; else only the log tells.
    refused(reasons_changed(made, change), made, "no-answer", logs=made.logs)


def test_a_reason_that_is_missing_is_noticed(made):
    refused(reasons_changed(made, lambda lines: lines[1:]), made, "it is no row and not dropped")


def test_a_wrong_root_is_noticed(made):
    for name in ("dataset_root", "rows_root", "used_root", "manifest_sha256"):
        folder = made.copy()
        roots = json.loads((folder / "root.json").read_bytes())
        roots[name] = bytes(32).hex()
        (folder / "root.json").write_bytes(dataset_check.as_page(roots))
        refused(folder, made, "root.json: other roots than follow")


def test_a_log_copy_that_is_not_whole_or_not_the_logs_is_noticed(made):
    def log_of(folder):
        return sorted((folder / "logs").iterdir())[0]

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    for change in (lambda folder: flip(log_of(folder) / "checkpoint"),
                   lambda folder: flip(next(path for path in log_of(folder).rglob("*.p/*"))),
                   lambda folder: (log_of(folder) / "note").write_text("more"),
                   lambda folder: shutil.rmtree(log_of(folder))):
        folder = made.copy()
        change(folder)
        refused(folder, made, "")


def test_a_key_of_another_log_is_refused(made):
    other = make_dataset.Log(make_dataset.Key("nobody's log", 12)).verifier_key()
    done = check(made.folder, [other, *made.keys[1:]])
    assert done.returncode == 1 and "a log whose key was not given" in done.stderr


def test_a_profile_that_it_does_not_know_is_refused(made):
    folder = made.copy()
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"own"', b'"network"'))
    refused(folder, made, "profile network: this verifier knows profile own alone")
