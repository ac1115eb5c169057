"""From a prompt to a public record and back, as a person does it, checked by verifiers that are not ours to bend."""
import hashlib
import json
import time
from pathlib import Path

import harness
from ledger.verifiers import check_log
from terminal import Terminal


def loam(node, *arguments, code=0, text=None):
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, text=text, env={"LOAM_API_KEY": node.token()})
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout


def wait_published(node):
    for _ in range(200):
        head = json.loads(loam(node, "ledger", "head", "--json"))
        if head["published"] == head["size"]:
            return head
        time.sleep(0.05)
    raise AssertionError("the log is not published")


def holders(home, needle):
    return [path for path in Path(home).rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def test_an_answer_is_shared_cancelled_shared_rated_edited_and_retracted(tmp_path, go_verifier):
    with harness.Node(model="smollm2") as node:
        loam(node, "run", "smollm2", "My address is ann@example.org. What is a quartzneedle?", "--max-tokens", "12", "--seed", "1")
        preview = json.loads(loam(node, "share", "--preview", "--json"))
        # The starter model's template begins a conversation that has no system message with one of its own.
        assert preview["body"]["messages"][0]["role"] == "system" and preview["system_from_template"] is True
        assert preview["body"]["messages"][1]["content"] == "My address is [email]. What is a quartzneedle?"
        assert preview["masked"][0]["original"] == "ann@example.org"
        assert "for ever" in preview["meaning"]
        # Without a terminal and without --yes nobody agreed.
        loam(node, "share", code=5)
        assert json.loads(loam(node, "ledger", "head", "--json"))["size"] == 0

        queued = json.loads(loam(node, "share", "-y", "--json"))
        assert queued["state"] == "queued" and "record" not in queued
        loam(node, "share", "--cancel", queued["submission"])
        assert holders(node.home, queued["submission"]) == []
        assert [json.loads(line)["state"] for line in loam(node, "share", "ls", "--json").splitlines()] == ["private"]

        shared = harness.run_loam("share", "-y", "--now", "--json", home=node.home, url=node.url)
        record = json.loads(shared.stdout)["record"]
        assert shared.stderr.startswith("Recorded here only"), shared.stderr
        loam(node, "rate", record, "up")
        edit = json.loads(loam(node, "edit", record, "-", "-y", "--json", text="A quartzneedle is a thin crystal."))
        assert edit["state"] == "queued" and edit["edits"] == record
        edited = json.loads(loam(node, "edit", record, "-", "-y", "--now", "--json", text="A quartzneedle is a thin crystal."))["record"]
        key = wait_published(node)["verifier_key"]
        check_log(node.url, key, go_verifier)
        note = tmp_path / "old-checkpoint"
        note.write_bytes(node.get("/log/checkpoint")[1])
        shown = json.loads(loam(node, "ledger", "show", edited, "--json"))
        assert shown["body"]["messages"][-1] == {
            "role": "assistant", "content": "A quartzneedle is a thin crystal.", "origin": "mixed"}
        assert holders(node.home, "quartzneedle")

        export, data_set = tmp_path / "export", tmp_path / "set"
        loam(node, "ledger", "export", export)
        loam(node, "data", "build", "--out", data_set)
        assert all((export / "body" / shared).exists() for shared in (record, edited))
        assert holders(data_set, "quartzneedle")

        reply = json.loads(loam(node, "retract", record, "--json"))
        retracted = reply["retracted"]
        assert len(retracted) == 3 and retracted[0] == record
        # An export is mended; a data set is sealed, and named.
        assert reply["erased_from"] == [str(export)] and reply["left_in"] == [str(data_set)]
        assert list((export / "body").iterdir()) == []
        wait_published(node)
        for gone in (record, edited):
            assert node.request("GET", f"/log/body/{gone}")[0] == 410
        check_log(node.url, key, go_verifier, old=note)
        loam(node, "ledger", "verify")
        assert holders(node.home, "quartzneedle") == []
        assert holders(node.home, "ann@example.org") == []


def test_a_retraction_reaches_what_a_chat_of_two_turns_left():
    with harness.Node(fake_step_ms=1) as node:
        chat = Terminal("--home", node.home, "--url", node.url, "chat", "fake", "--verbose", "--max-tokens", "5")
        for line, shown in (("What is a quartzneedle? Tell ann@example.org.", "tokens/s"), ("And who has one?", "tokens/s"), ("/save mine", "saved")):
            chat.until(">>> ")
            chat.type(line + "\r")
            chat.until(shown)
        chat.until(">>> ")
        chat.type("/bye\r")
        assert chat.code() == 0
        node.post("/v1/completions", {"model": "fake", "prompt": "Something else", "max_tokens": 2})
        kept = [json.loads(line)["answer"] for line in loam(node, "share", "ls", "--json").splitlines()]
        assert len(kept) == 3
        record = json.loads(loam(node, "share", kept[-1], "-y", "--now", "--scope", "eval", "--json"))["record"]
        saved = node.home / "state" / "chats" / "mine.json"
        assert {saved, node.home / "state" / "history"} <= set(holders(node.home, "quartzneedle"))
        reply = json.loads(loam(node, "retract", record, "--json"))
        assert reply["left_in"] == [str(saved)]
        assert holders(node.home, "quartzneedle") == holders(node.home, "ann@example.org") == [saved]
        # Neither the other answer nor the other lines have words of it.
        left = [json.loads(line) for line in loam(node, "share", "ls", "--json").splitlines()]
        assert [one.get("answer") for one in left] == [kept[-1], kept[0]] and left[0]["state"] == "retracted"
        assert (node.home / "state" / "history").read_text().splitlines() == ["And who has one?", "/save mine", "/bye"]


def test_publishing_needs_the_owner_or_a_key_for_it():
    with harness.Node(fake_step_ms=1) as node:
        node.post("/v1/completions", {"model": "fake", "prompt": "x", "max_tokens": 2})
        body = {"licence": "CC-BY-4.0", "scope": ["eval"], "now": True}
        assert node.request("POST", "/loam/v1/share", body)[0] == 401
        _, key = node.post("/loam/v1/keys", {"label": "x", "scopes": ["infer"]}, headers=node.owner())
        assert node.request("POST", "/loam/v1/share", body, headers={"x-api-key": key["key"]})[0] == 403
        # A key shares what it asked for, and nobody else's answers.
        _, key = node.post("/loam/v1/keys", {"label": "y", "scopes": ["infer", "publish"]}, headers=node.owner())
        other = {"x-api-key": key["key"]}
        assert node.request("POST", "/loam/v1/share", body, headers=other)[0] == 404
        assert node.request("POST", "/loam/v1/share", body, headers=node.owner())[0] == 201


def test_what_may_not_be_shared_is_refused_with_a_reason():
    with harness.Node(fake_step_ms=1) as node:
        node.post("/v1/completions", {"model": "fake", "prompt": "x", "max_tokens": 2})
        for body, status, word in (
                ({"licence": "CC-BY-NC-4.0", "scope": ["eval"]}, 400, "licence"),
                ({"licence": "CC0-1.0", "scope": []}, 400, "scope"),
                ({"licence": "CC0-1.0", "scope": ["sell"]}, 400, "scope"),
                ({"scope": ["eval"]}, 400, "licence"),
                ({"licence": "CC0-1.0", "scope": ["eval"], "answer": "chatcmpl-none"}, 404, "none of yours")):
            got, reply = node.post("/loam/v1/share", body, headers=node.owner())
            assert got == status and word in reply["error"]["message"], (body, reply)
        assert json.loads(node.get("/loam/v1/log", headers=node.owner())[1])["size"] == 0


def test_a_model_whose_licence_is_not_known_to_allow_it_does_not_train_others():
    with harness.Node() as node:
        loam(node, "pull", harness.starter_model(), "--name", "other", "--licence", "their-own-terms")
        loam(node, "run", "other", "Hello", "--max-tokens", "2")
        refused = harness.run_loam("share", "--preview", home=node.home, url=node.url, env={"LOAM_API_KEY": node.token()})
        assert refused.returncode == 5 and "their-own-terms" in refused.stderr
        loam(node, "share", "--preview", "--scope", "eval")


def test_paths_of_the_log_lead_nowhere_else():
    with harness.Node(fake_step_ms=1) as node:
        for path in ("/log/tile/../../keys/log.key", "/log/tile/%2e%2e/%2e%2e/keys/log.key", "/log/keys/log.key",
                     "/log/tile/0/0", "/log/tile/9/000", "/log/tile/entries/000.p/256", "/log/body/x", "/log/"):
            assert node.request("GET", path)[0] in (400, 404), path
        assert node.request("GET", "/log/checkpoint")[0] == 404  # nothing was ever signed


def test_strangers_read_the_log_and_nothing_else(go_verifier):
    port = harness.free_port()
    with harness.Node(fake_step_ms=1, settings=[f"public_listen=127.0.0.1:{port}"]) as node:
        node.post("/v1/completions", {"model": "fake", "prompt": "x", "max_tokens": 2})
        shared = harness.run_loam("share", "--scope", "eval", "-y", "--now", "--json", home=node.home, url=node.url)
        record = json.loads(shared.stdout)["record"]
        assert shared.stderr == "", shared.stderr  # not recorded here only
        head = wait_published(node)
        proof = bytes(range(256)) * 2000
        blob = f"/blob/{hashlib.sha256(proof).hexdigest()}"
        (node.home / "data" / "public" / blob.rsplit("/", 1)[1]).write_bytes(proof)
        node.url, own = f"http://127.0.0.1:{port}", node.url
        try:
            stranger = {"host": "mirror.example"}
            for path in ("/health", "/log/checkpoint", "/log/tile/0/000.p/1", f"/log/body/{record}"):
                assert node.request("GET", path, headers=stranger)[0] == 200, path
            assert node.request("GET", blob, headers=stranger)[2] == proof
            status, headers, part = node.request("GET", blob, headers={**stranger, "range": "bytes=300000-300009"})
            assert (status, part, headers["content-range"]) == (206, proof[300000:300010], f"bytes 300000-300009/{len(proof)}")
            status, headers, nothing = node.request("HEAD", blob, headers=stranger)
            assert (status, nothing, headers["content-length"]) == (200, b"", str(len(proof)))
            assert node.request("HEAD", "/health", headers=stranger)[0] == 200
            for method, path in (("GET", "/v1/models"), ("GET", "/loam/v1/records"), ("GET", "/metrics"), ("GET", "/"), ("GET", "/blob/" + "0" * 64), ("PUT", blob), ("DELETE", blob),
                                 ("POST", "/log/checkpoint"), ("POST", "/loam/v1/shutdown"), ("DELETE", f"/log/body/{record}")):
                # The owner's token opens nothing here.
                assert node.request(method, path, headers={**stranger, **node.owner()})[0] == 404, path
            check_log(node.url, head["verifier_key"], go_verifier)
        finally:
            node.url = own
