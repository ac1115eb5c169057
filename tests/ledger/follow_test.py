"""Two nodes: one follows the other's log, finds its words, loses what is retracted, and refuses a log that forks."""
import json
import shutil
import time
from pathlib import Path

import harness
from search_test import found, holders, loam, search, share


def wait_for(look, what):
    for _ in range(300):
        if look():
            return
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


def followed(node):
    lines = loam(node, "follow", "ls", "--json").splitlines()
    return json.loads(lines[0]) if lines else None


def head(node):
    return json.loads(loam(node, "ledger", "head", "--json"))


def test_a_log_is_followed_searched_retracted_and_forgotten():
    with harness.Node(fake_step_ms=1) as author, harness.Node(fake_step_ms=1, settings=["follow.poll=1s"]) as reader:
        first = share(author, "where is the Quartzneedle kept?")
        key = head(author)["verifier_key"]
        loam(reader, "follow", "add", author.url + "/log", "--key", key)
        assert harness.run_loam("follow", "add", author.url + "/log", home=reader.home, url=reader.url).returncode == 2
        wait_for(lambda: found(reader, "quartzneedle") == [first], "the followed words are found")
        second = share(author, "and where is the Ambertooth?")
        wait_for(lambda: found(reader, "ambertooth") == [second], "new records come")
        assert followed(reader)["state"] == "followed" and followed(reader)["records"] == 2
        # What others wrote is shown and voted on; the vote stands in the reader's own log.
        shown = json.loads(loam(reader, "ledger", "show", second, "--json"))
        assert "Ambertooth" in shown["body"]["messages"][0]["content"] and shown["log"] == key.split("+")[0]
        vote = loam(reader, "rate", second, "up", "-q").strip()
        assert json.loads(loam(reader, "ledger", "show", vote, "--json"))["vote"] == "up"
        wait_for(lambda: search(reader, "ambertooth", rating="up")["hits"], "the vote counts")
        assert holders(reader.home, "quartzneedle")
        loam(author, "retract", first)
        wait_for(lambda: found(reader, "quartzneedle") == [], "the retraction is followed")
        wait_for(lambda: followed(reader)["records"] == 3 and not holders(reader.home, "quartzneedle"), "its body goes")
        reader.kill()
        reader.start()
        assert found(reader, "ambertooth") == [second]
        loam(reader, "follow", "rm", author.url + "/log")
        assert followed(reader) is None and found(reader, "ambertooth") == []
        assert holders(reader.home, "ambertooth") == []


def test_a_log_that_forked_is_refused_with_evidence(tmp_path):
    port = harness.free_port()
    home = tmp_path / "author"
    with harness.Node(fake_step_ms=1, settings=["follow.poll=1s"]) as reader:
        with harness.Node(home=home, fake_step_ms=1, port=port) as author:
            share(author, "the first tea")
            wait_for(lambda: head(author)["published"] == 1, "it is published")
        shutil.copytree(home, tmp_path / "copy")
        with harness.Node(home=home, fake_step_ms=1, port=port) as author:
            second = share(author, "the second tea")
            loam(reader, "follow", "add", author.url + "/log", "--key", head(author)["verifier_key"])
            wait_for(lambda: found(reader, "second") == [second], "it is followed")
        with harness.Node(home=tmp_path / "copy", fake_step_ms=1, port=port) as fork:
            share(fork, "another second tea")
            share(fork, "a third tea")
            wait_for(lambda: "forked" in followed(reader).get("trouble", ""), "the fork is seen")  # at first it is shorter
        seen = followed(reader)
        assert seen["state"] == "refused" and seen["records"] == 2
        evidence = Path(seen["evidence"])
        notes = [(evidence / name).read_text() for name in ("kept", "came")]
        kept, came = (note.splitlines() for note in notes)
        assert kept[0] == came[0] and kept[1] == "2" and came[1] in ("2", "3") and kept[2] != came[2]
        assert evidence.as_posix() in loam(reader, "follow", "ls")
        assert len(found(reader, "tea")) == 2  # nothing that was followed is lost


def test_an_offline_node_reads_no_log():
    with harness.Node(fake_step_ms=1) as author, \
            harness.Node(fake_step_ms=1, settings=["offline=true", "follow.poll=1s"]) as reader:
        share(author, "tea")
        loam(reader, "follow", "add", author.url + "/log", "--key", head(author)["verifier_key"])
        assert followed(reader)["state"] == "waiting" and found(reader, "tea") == []
