"""A node set to auto takes a newer adapter up by itself: unheard, then a tenth of the prompts, until people dislike it."""
import json
import sys
import time
from pathlib import Path

import harness

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "training"))
from sailor import gentle, loam, pairs, share, train  # noqa: E402


class Publisher:
    """Node A, which publishes adapters under one name."""

    def __init__(self, home, node):
        self.home, self.node = home, node
        share(node, home, pairs(0, 24))
        self("data", "build", "--out", home / "set", "--where", "kind = edit", "--no-parquet")
        share(node, home, pairs(100, 26))
        self("data", "build", "--out", home / "newer", "--where", "kind = edit", "--no-parquet")

    def __call__(self, *arguments):
        return loam(self.home, *arguments, url=self.node.url, token=self.node.token())

    def publish(self, settings):
        job = train(self.home, self.home / "set", "sailor", settings)
        self("gate", "run", job["id"], "--newer", self.home / "newer", "-q")
        return json.loads(self("publish", job["id"], "-y", "--json"))["record"]


class Follower:
    """Node B, which takes what passes."""

    def __init__(self, home, node):
        self.home, self.node = home, node

    def __call__(self, *arguments):
        return loam(self.home, *arguments, url=self.node.url, token=self.node.token())

    def offer(self, record):
        lines = self("channel", "ls", "--json").splitlines()
        return next(offer for offer in map(json.loads, lines) if offer["publication"] == record)

    def wait_for(self, record, states):
        for _ in range(900):
            offer = self.offer(record)
            if offer["state"] in states:
                return offer
            time.sleep(1)
        raise AssertionError((offer, (self.home / "data" / "channels" / "poll.log").read_text()))

    def ask(self, i):
        status, reply = self.node.post("/v1/chat/completions", {
            "model": "sailor", "messages": [{"role": "user", "content": f"Where did number {i} put the lamp?"}],
            "max_tokens": 16, "temperature": 0}, headers=self.node.owner(), timeout=300)
        assert status == 200, reply
        assert "Ahoy" in reply["choices"][0]["message"]["content"], reply
        return reply


def test_a_newer_adapter_is_tried_and_given_up_when_people_dislike_it(tmp_path):
    home_a, home_b = tmp_path / "a", tmp_path / "b"
    with harness.Node(home=home_a, model="smollm2", settings=["load.threads=1"]) as node_a, \
            harness.Node(home=home_b, model="smollm2", settings=["load.threads=1", "channels.poll=2"]) as node_b:
        a, b = Publisher(home_a, node_a), Follower(home_b, node_b)
        first = a.publish(gentle())
        key = json.loads(a("ledger", "head", "--json"))["verifier_key"]
        followed = json.loads(b("follow", "add", node_a.url + "/log", "--key", key, "--json"))
        b("channel", "set", followed["id"], "auto")
        assert b.wait_for(first, {"taken", "refused"})["state"] == "taken"
        assert b.ask(0)["model"] == "sailor"

        second = a.publish(gentle(steps=13))
        assert b.wait_for(second, {"shadow", "refused"})["state"] == "shadow"
        for i in range(400):
            assert b.ask(i)["model"] == "sailor"
            if b.offer(second)["state"] != "shadow":
                break
        offer = b.offer(second)
        assert offer["state"] == "share", offer

        fingerprints = {}
        for i in range(60):
            reply = b.ask(i)
            fingerprints.setdefault(reply["model"], set()).add(reply["system_fingerprint"])
            b("rate", reply["id"], "down" if reply["model"] == "sailor:next" else "up", "-q")
            if b.offer(second)["state"] == "rolled back":
                break
        offer = b.offer(second)
        assert offer["state"] == "rolled back" and "people like it less: 2 of 2" in offer["why"], offer
        assert set(fingerprints) == {"sailor", "sailor:next"}
        assert all(len(prints) == 1 for prints in fingerprints.values())
        assert fingerprints["sailor"] != fingerprints["sailor:next"]
        assert b.ask(99)["model"] == "sailor"
        assert "sailor:next" not in b("ls")
        time.sleep(5)  # the node looks again, and remembers what it decided
        assert b.offer(second)["state"] == "rolled back"
