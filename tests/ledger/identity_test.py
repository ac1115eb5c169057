"""A node's keys over their life: rotated under kill -9, backed up, restored, and a log that never gets two histories."""
import hashlib
import json
import os
import random
import shutil
import threading
import time

import pytest

import harness
import search_test

from ledger.verifiers import check_log, record_check
from terminal import Terminal

KILLS = int(os.environ.get("LOAM_KILLS", "20")) // 4
TERMS = {"licence": "CC0-1.0", "scope": ["eval"], "now": True}


def loam(home, *arguments, code=0, node=None, text=None):
    environment = {"LOAM_API_KEY": node.token()} if node else None
    ran = harness.run_loam(*arguments, home=home, url=node.url if node else None, env=environment, text=text)
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout + ran.stderr


def keys_of(home):
    return [json.loads(line) for line in loam(home, "identity", "ls", "--json").splitlines()]


def share(node, expected=201):
    node.post("/v1/completions", {"model": "fake", "prompt": f"p{random.random()}", "max_tokens": 2}, headers=node.owner())
    status, reply = node.post("/loam/v1/share", TERMS, headers=node.owner())
    assert status == expected, reply
    return reply.get("record") or reply


def rotate(node):
    status, reply = node.post("/loam/v1/identity/rotate", {}, headers=node.owner())
    assert status == 201, reply
    return reply["author"]


def head_of(node):
    return json.loads(node.get("/loam/v1/log", headers=node.owner())[1])


def wait_published(node):
    for _ in range(200):
        head = head_of(node)
        if head["published"] == head["size"]:
            return head
        time.sleep(0.05)
    raise AssertionError("the log is not published")


def wait_until(look):
    for _ in range(300):
        if look():
            return
        time.sleep(0.1)
    raise AssertionError("never")


@pytest.fixture
def check(go_verifier):
    """Whether both verifiers accept a running node's log; gives what the Python one says."""
    return lambda node: check_log(node.url, wait_published(node)["verifier_key"], go_verifier)


def fake(home, **more):
    return harness.Node(home=home, fake_step_ms=0, **more)


# --- rotation --------------------------------------------------------------------------------------


def test_a_new_key_signs_and_the_old_records_stay_in_hand(tmp_path, check):
    home = tmp_path / "home"
    with fake(home) as node:
        old = share(node)
        assert "5 " not in loam(home, "identity", "rotate", code=5, node=node)  # nobody said yes
        said = loam(home, "identity", "rotate", "-y", node=node)
        assert "signs from now on" in said and "loam identity backup" in said
        keys = keys_of(home)
        assert [(key["role"], key["state"]) for key in keys if key["role"] == "log"] == [("log", "signs")]
        assert sorted(key["state"] for key in keys if key["role"] == "author") == ["ended", "writes"]
        assert head_of(node)["author"] == next(key["key"] for key in keys if key["state"] == "writes")
        share(node)
        for verb, body in (("rate", {"vote": "up"}), ("edit", {"answer": "Better.", "now": True})):
            assert node.post(f"/loam/v1/records/{old}/{verb}", body, headers=node.owner())[0] == 201
        status, reply = node.post(f"/loam/v1/records/{old}/retract", {}, headers=node.owner())
        assert status == 200 and len(reply["retracted"]) == 3  # it, the vote and the edit
        check(node)
        assert node.request("POST", "/loam/v1/identity/rotate", {})[0] == 401
        assert node.request("POST", "/loam/v1/identity/rotate", {"recovery": "00" * 32}, headers=node.owner())[0] == 400
    loam(home, "ledger", "verify")


def test_votes_and_edits_by_the_old_key_go_with_the_record(tmp_path):
    with fake(tmp_path / "home") as node:
        old = share(node)
        assert node.post(f"/loam/v1/records/{old}/rate", {"vote": "up"}, headers=node.owner())[0] == 201
        rotate(node)
        status, reply = node.post(f"/loam/v1/records/{old}/retract", {}, headers=node.owner())
        assert status == 200 and len(reply["retracted"]) == 2


def test_a_recovery_key_is_made_named_and_never_kept(tmp_path, check):
    home, file = tmp_path / "home", tmp_path / "recovery.key"
    with fake(home) as node:
        share(node)
        loam(home, "identity", "rotate", "--recovery", file, "-y", node=node)
        assert file.stat().st_mode & 0o777 == 0o600
        keys = keys_of(home)
        assert [key["role"] for key in keys] == ["log", "author", "recovery"]
        public = record_check_public(file)
        assert keys[2]["key"] == public and keys[1]["state"] == "writes"
        seed = file.read_text().splitlines()[1]
        assert not [path for path in home.rglob("*") if path.is_file() and seed.encode() in path.read_bytes()]
        share(node)
        check(node)


def test_a_recovery_key_retracts_from_another_node_when_the_machine_is_lost(tmp_path, check):
    home, file = tmp_path / "lost", tmp_path / "recovery.key"
    with fake(tmp_path / "reader", settings=["follow.poll=1s"]) as reader, fake(tmp_path / "other") as other:
        with fake(home) as lost:
            ids = [search_test.share(lost, f"where is the {word} kept?") for word in ("Quartzneedle", "Ambertooth")]
            loam(home, "identity", "rotate", "--recovery", file, "-y", node=lost)
            search_test.share(other, "something else")
            for followed in (lost, other):
                key = wait_published(followed)["verifier_key"]
                loam(reader.home, "follow", "add", followed.url + "/log", "--key", key, node=reader)
            wait_until(lambda: search_test.found(reader, "kept") and len(search_test.found(reader, "kept")) == 2)
        shutil.rmtree(home)
        assert "not in this node's log" in loam(other.home, "retract", ids[0], code=3, node=other)
        assert ids[0] in loam(other.home, "retract", ids[0], "--key", file, node=other)
        wait_until(lambda: search_test.found(reader, "kept") == [ids[1]])
        wait_until(lambda: not search_test.holders(reader.home, "quartzneedle"))
        assert search_test.holders(reader.home, "ambertooth")
        # From the node that follows it, at once; by the owner only.
        body = {"key_file": str(file)}
        assert reader.post(f"/loam/v1/records/{ids[1]}/retract", body)[0] == 401
        assert "may not retract" in loam(reader.home, "retract", search_test.found(reader, "else")[0], "--key", file, code=5,
                                         node=reader)
        loam(reader.home, "retract", ids[1], "--key", file, node=reader)
        assert search_test.found(reader, "kept") == [] and not search_test.holders(reader.home, "ambertooth")
        check(other)
        check(reader)


def record_check_public(file):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    seed = bytes.fromhex(file.read_text().splitlines()[1])
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


def test_whenever_it_dies_one_key_writes(tmp_path, check):
    home, rng = tmp_path / "home", random.Random(7)
    node = fake(home)
    node.start()
    shared, rotated = [], set()

    def work(stop):
        while not stop.is_set():
            try:
                rotated.add(rotate(node))
                shared.append(share(node))
            except (OSError, ValueError, AssertionError):
                time.sleep(0.01)  # it is dead, or stopping

    for _ in range(KILLS):
        stop = threading.Event()
        thread = threading.Thread(target=work, args=(stop,))
        thread.start()
        time.sleep(rng.uniform(0.05, 0.5))
        node.kill()
        stop.set()
        thread.join()
        node.start()
        share(node)
        assert [key["state"] for key in keys_of(home)].count("writes") == 1
    assert rotated, "nothing was rotated between the kills"
    assert rotated <= {key["key"] for key in keys_of(home)}
    for record in shared:
        assert node.get(f"/loam/v1/records/{record}", headers=node.owner())[0] == 200
    check(node)
    node.stop()
    loam(home, "ledger", "verify")


# --- backup and restoration ------------------------------------------------------------------------


def test_a_backup_has_the_form_of_the_page_and_is_never_written_over(tmp_path):
    home, file = tmp_path / "home", tmp_path / "backup"
    with fake(home) as node:
        share(node)
        rotate(node)
        note = wait_published(node) and node.get("/log/checkpoint")[1]
        assert "can sign as this node" in loam(home, "identity", "backup", file)
    assert file.stat().st_mode & 0o777 == 0o600
    loam(home, "identity", "backup", file, code=1)
    lines = file.read_text(encoding="ascii").splitlines()
    assert lines[0] == "loam identity 1" and lines[1].startswith("# Who has this file can sign")
    assert [line.split(" ")[0] for line in lines[2:]] == ["net", "log", "author", "author", "head", "sum"]
    assert record_check.from_base64(lines[6].split(" ")[1]) == note
    before, _, sum_line = file.read_text().rpartition("sum ")
    assert hashlib.sha256(before.encode()).hexdigest() == sum_line.strip()


@pytest.mark.parametrize("change, word", [
    (lambda text: text[:-20], "cut or changed"), (lambda text: text[: len(text) // 2], "cut or changed"),
    (lambda text: text.replace("author ", "author f", 1), "cut or changed"), (lambda text: "", "cut or changed"),
    (lambda text: text.replace("identity 1", "identity 9"), "version"), (lambda text: text * 3000, "larger than")],
    ids=["truncated", "half", "changed", "empty", "newer", "large"])
def test_a_damaged_backup_is_named(tmp_path, change, word):
    home, file = tmp_path / "home", tmp_path / "backup"
    with fake(home):
        pass
    loam(home, "identity", "backup", file)
    file.write_text(change(file.read_text()))
    ran = harness.run_loam("identity", "restore", file, home=tmp_path / "other")
    assert ran.returncode in (1, 6) and str(file) in ran.stderr and word in ran.stderr, ran.stderr
    assert not (tmp_path / "other" / "data" / "ledger" / "keys").exists()


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_an_identity_moves_to_another_home_and_signs_once_it_has_the_log(tmp_path, sealed, check):
    home, other, file, word = (tmp_path / name for name in ("home", "other", "backup", "passphrase"))
    word.write_text("correct horse\n")
    extra = ["--passphrase-file", word] if sealed else []
    with fake(home) as node:
        first = share(node)
        loam(home, "identity", "backup", file, *extra)
        share(node)
        assert str(other) not in loam(home, "identity", "restore", file, *extra, code=1)  # it has keys, and runs
        if sealed:
            wrong = tmp_path / "wrong"
            wrong.write_text("wrong\n")
            assert "passphrase" in loam(other, "identity", "restore", file, "--passphrase-file", wrong, code=5)
            assert b"log " not in file.read_bytes()
        loam(other, "identity", "restore", file, *extra)
        with fake(other) as moved:
            refused = share(moved, expected=409)
            assert "ledger resume --from" in json.dumps(refused)
            assert moved.post(f"/loam/v1/records/{first}/rate", {"vote": "up"}, headers=moved.owner())[0] in (404, 409)
            assert not head_of(moved)["signs"]
        wait_published(node)
        resumed = json.loads(loam(other, "ledger", "resume", "--from", f"{node.url}/log", "--json"))
        assert resumed == {"records": 2, "fetched": 2, "bodies": 2, "without_body": 0}
    assert "there are keys" in loam(home, "identity", "restore", file, *extra, code=1)
    with fake(other) as moved:
        share(moved)
        assert "3 records by 1 authors" in check(moved)


def test_a_passphrase_is_typed_twice_and_never_shown(tmp_path):
    home, file = tmp_path / "home", tmp_path / "backup"
    with fake(home):
        pass
    for second, code in (("another one", 2), ("correct horse", 0)):
        terminal = Terminal("--home", home, "identity", "backup", file, "--seal")
        terminal.until("Passphrase: ")
        terminal.type("correct horse\n")
        terminal.until("Once more: ")
        assert b"correct" not in terminal.shown
        terminal.type(second + "\n")
        assert terminal.code() == code
    word = tmp_path / "word"
    word.write_text("correct horse")
    loam(tmp_path / "other", "identity", "restore", file, code=5)  # no terminal, and no file
    loam(tmp_path / "other", "identity", "restore", file, "--passphrase-file", word)
    assert keys_of(tmp_path / "other") == keys_of(home)


# --- a log that is older than what was signed ------------------------------------------------------


@pytest.fixture
def old_copy(tmp_path):
    """A home whose data folder was put back; beside it an export from before that."""
    home, export = tmp_path / "home", tmp_path / "export"
    with fake(home) as node:
        share(node)
        wait_published(node)
    shutil.copytree(home / "data" / "ledger", tmp_path / "old")
    with fake(home) as node:
        share(node)
        wait_published(node)
        loam(home, "ledger", "export", export)
    shutil.rmtree(home / "data" / "ledger")
    shutil.copytree(tmp_path / "old", home / "data" / "ledger")
    return home, export


def test_an_old_copy_answers_and_publishes_nothing(old_copy):
    home, _ = old_copy
    with fake(home) as node:
        assert node.post("/v1/completions", {"model": "fake", "prompt": "x", "max_tokens": 2})[0] == 200
        assert node.get("/log/checkpoint")[0] == 200
        record = json.loads(node.get("/loam/v1/records", headers=node.owner())[1])["records"][0]["id"]
        for path, body in (("/loam/v1/share", TERMS), (f"/loam/v1/records/{record}/rate", {"vote": "up"}),
                           (f"/loam/v1/records/{record}/edit", {"answer": "x"}),
                           (f"/loam/v1/records/{record}/retract", {}), ("/loam/v1/identity/rotate", {})):
            status, reply = node.post(path, body, headers=node.owner())
            assert status == 409, (path, reply)
            for words in ("two histories", "ledger resume --from", "ledger resume --new-log"):
                assert words in reply["error"]["message"], (path, reply)
        said = loam(home, "ledger", "head", node=node)
        assert "signs nothing" in said
        assert "loam down" in loam(home, "ledger", "resume", "--new-log", "-y", code=1)
    assert "nothing can be published" in node.log()


def test_an_old_copy_goes_on_from_an_export(old_copy, check):
    home, export = old_copy
    loam(home, "ledger", "resume", code=2)
    loam(home, "ledger", "resume", "--from", home / "nowhere", code=3)
    said = loam(home, "ledger", "resume", "--from", export)
    assert "2 records, 1 of them fetched; 1 bodies came back" in said
    with fake(home) as node:
        share(node)
        assert "3 records" in check(node)
    loam(home, "ledger", "verify")


def test_a_copy_that_was_tampered_with_is_not_taken(old_copy):
    home, export = old_copy
    bundle = export / "tile" / "entries" / "000.p" / "2"
    content = bytearray(bundle.read_bytes())
    content[-9] ^= 1
    bundle.write_bytes(content)
    loam(home, "ledger", "resume", "--from", export, code=6)
    with fake(home) as node:
        share(node, expected=409)


def test_another_log_begins_with_a_link_that_the_old_key_signed(old_copy, check):
    home, _ = old_copy
    old = next(key for key in keys_of(home) if key["role"] == "log")
    aside = json.loads(loam(home, "ledger", "resume", "--new-log", "-y", "--json"))["old"]
    assert os.path.isdir(os.path.join(aside, "log"))
    with fake(home) as node:
        share(node)
        check(node)
        new = head_of(node)
        assert new["verifier_key"] != old["verifier_key"] and new["signs"]
        status, bundle = node.get("/log/tile/entries/000.p/2")
        entry = bundle[2:2 + int.from_bytes(bundle[:2], "big")]
    header = record_check.verify_record(entry, record_check.LogKey(new["verifier_key"]).net)
    assert record_check.KINDS[header[2]][0] == "checkpoint"
    size, _ = record_check.open_checkpoint(header[13], record_check.LogKey(old["verifier_key"]))
    assert size == 2  # what was signed, though less of it is here
    assert f"\nnext {new['origin']}\n".encode() in header[13]
