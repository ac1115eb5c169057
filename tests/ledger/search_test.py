"""Searching what was shared: as a person does it, after a retraction, after kill -9, with a broken index."""
import json
import urllib.parse
from pathlib import Path

import harness


def loam(node, *arguments, code=0):
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, env={"LOAM_API_KEY": node.token()})
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout


def share(node, prompt):
    node.post("/v1/completions", {"model": "fake", "prompt": prompt, "max_tokens": 4}, headers=node.owner())
    status, reply = node.post("/loam/v1/share", {"licence": "CC0-1.0", "scope": ["eval"], "now": True}, headers=node.owner())
    assert status == 201, reply
    return reply["record"]


def search(node, words, **filters):
    status, body = node.get("/loam/v1/search?" + urllib.parse.urlencode({"q": words, **filters}))
    assert status == 200, body
    return json.loads(body)


def found(node, words, **filters):
    return [hit["id"] for hit in search(node, words, **filters)["hits"]]


def holders(home, word):
    """Files of the node with the word in them, whatever the case; the test's own output is not one."""
    return [path for path in Path(home).rglob("*") if path.is_file() and word.encode() in path.read_bytes().lower()]


def test_what_was_shared_is_found_and_what_was_not_is_not():
    with harness.Node(fake_step_ms=1) as node:
        node.post("/v1/completions", {"model": "fake", "prompt": "a privateneedle", "max_tokens": 4}, headers=node.owner())
        record = share(node, "How high is the Grünspitz lighthouse?")
        other = share(node, "How deep is the sea?")
        assert found(node, "grunspitz") == [record]
        assert found(node, '"how high"') == [record]
        assert found(node, "how -lighthouse") == [other]
        assert sorted(found(node, "how")) == sorted([record, other])
        assert found(node, "privateneedle") == []
        assert loam(node, "ledger", "search", "light*", "-q").split() == [record]
        assert record in loam(node, "ledger", "search", "lighthouse")
        reply = json.loads(loam(node, "ledger", "search", "lighthouse", "--json"))
        assert reply["hits"][0]["snippet"] and reply["rebuilding"] is False
        loam(node, "rate", record, "up")
        assert found(node, "how", rating="up") == [record]
        assert loam(node, "ledger", "search", "--rating", "none", "-q").split() == [other]
        refused = harness.run_loam("ledger", "search", 'sky "open', home=node.home, url=node.url)
        assert refused.returncode == 2 and "column 5" in refused.stderr
        refused = harness.run_loam("ledger", "search", *["x" * 100_000] * 10, home=node.home, url=node.url)
        assert refused.returncode == 2 and "4096" in refused.stderr.replace(",", "")


def test_retracted_words_are_in_no_file_also_after_a_kill():
    with harness.Node(fake_step_ms=1) as node:
        for number in range(30):
            share(node, f"filler number {number}")
        record = share(node, "where is the Quartzneedle kept?")
        assert found(node, "quartzneedle") == [record]
        assert holders(node.home, "quartzneedle")
        loam(node, "retract", record)
        node.kill()  # what was acknowledged is done
        assert holders(node.home, "quartzneedle") == []
        node.start()
        assert found(node, "quartzneedle") == []
        assert len(found(node, "filler", limit=100)) == 30
        assert holders(node.home, "quartzneedle") == []


def test_a_broken_or_missing_index_is_built_anew():
    with harness.Node(fake_step_ms=1) as node:
        record = share(node, "where is the Quartzneedle kept?")
        assert found(node, "quartzneedle") == [record]
        index = node.home / "data" / "commons" / "search.db"
        for content in (b"no database at all", None):
            node.stop()
            if content is None:
                index.unlink()
            else:
                index.write_bytes(content)
            node.start()
            assert found(node, "quartzneedle") == [record]
        assert "built anew" in node.log() and "uartzneedle" not in node.log()
