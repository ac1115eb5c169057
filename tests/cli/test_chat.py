"""`loam chat` on a terminal: editing, interruption, history, and a conversation that is kept."""
import json
import time

import harness
import pytest
from terminal import Terminal


@pytest.fixture(scope="module")
def node():
    with harness.Node(fake_step_ms=20) as node:
        yield node


def test_what_was_shown_is_what_is_shared(node):
    asked = [node.post("/v1/completions", {"model": "fake", "prompt": prompt, "max_tokens": 2})[1]["id"] for prompt in ("an older one", "the last one")]
    share = Terminal("--home", node.home, "--url", node.url, "share")
    share.until("the last one")
    share.until("[y/N]")
    # Whatever program is answered meanwhile is not what the person reads.
    node.post("/v1/completions", {"model": "fake", "prompt": "another program's", "max_tokens": 2})
    share.type("y\r")
    assert share.code() == 0
    shared = json.loads(node.get("/loam/v1/share", headers=node.owner())[1])["submissions"]
    assert [one["answer"] for one in shared] == [asked[1]]


def test_a_conversation(node):
    # Greedy, so that the fake model answers each time with the same words, and as many.
    chat = Terminal("--home", node.home, "--url", node.url, "chat", "fake", "--verbose", "--temperature", "0")
    chat.until(">>> ")
    chat.type("/set max_tokens 5\r")
    chat.until(">>> ")
    chat.type("hallo\x7f\x7f\x7f\x7fello there\r")
    chat.until("tokens/s")
    chat.until(">>> ")
    chat.type("/set max_tokens 3000\r")
    chat.until(">>> ")
    chat.type("go on\r")
    chat.until("...")
    time.sleep(0.3)
    chat.type("\x03")
    chat.until("(stopped)")
    chat.until(">>> ")
    chat.type("/set max_tokens 5\r")
    chat.until(">>> ")
    chat.type('"""one\rtwo"""\r')
    chat.until("tokens/s")
    chat.until(">>> ")
    chat.type("/save talk\r")
    chat.until("saved")
    chat.until(">>> ")
    chat.type("\x04")
    assert chat.code() == 0
    saved = json.loads((node.home / "state" / "chats" / "talk.json").read_text())
    asked = [m["content"] for m in saved["messages"] if m["role"] == "user"]
    assert asked[:2] == ["hello there", "go on"]
    assert "one\ntwo" in asked
    history = node.home / "state" / "history"
    assert "hello there" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
    assert (node.home / "state" / "chats" / "talk.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_remembered_where_that_is_not_wanted(node):
    chat = Terminal("--home", node.home, "--url", node.url, "chat", "fake", "--no-history", "--max-tokens", "3", "--verbose")
    chat.until(">>> ")
    chat.type("a secret thing\r")
    chat.until("tokens/s")  # the line editor shows the prompt while one types, too
    chat.until(">>> ")
    chat.type("/bye\r")
    assert chat.code() == 0
    history = node.home / "state" / "history"
    assert not history.exists() or "secret" not in history.read_text()


def test_a_full_context_is_said_and_nothing_is_cut(tmp_path):
    with harness.Node(home=tmp_path, fake_step_ms=0, settings=["load.context=64"]) as node:
        chat = Terminal("--home", node.home, "--url", node.url, "chat", "fake", "--max-tokens", "4", "--verbose")
        chat.until(">>> ")
        chat.type("word " * 40 + "\r")
        chat.until("/clear begins anew")
        chat.until(">>> ")
        chat.type("hi\r")
        chat.until("tokens/s")
        chat.until(">>> ")
        chat.type("\x04")
        assert chat.code() == 0


def test_without_a_terminal_lines_are_read_as_they_come(node):
    ran = harness.run_loam("chat", "fake", "--max-tokens", "3", home=node.home, url=node.url, text="hi\n/show\n/bye\n")
    assert ran.returncode == 0
    assert ran.stdout.strip()
    assert "messages  2" in ran.stderr
