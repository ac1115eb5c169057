"""One node publishes an adapter; another follows its log, looks for itself, and takes it up or does not."""
import hashlib
import json
import os
from pathlib import Path

import cbor2
import pytest

import harness
from sailor import gentle, loam, pairs, share, train


class Two:
    """A node that publishes and one that follows."""

    def __init__(self, folder):
        self.home_a, self.home_b = folder / "a", folder / "b"

    def a(self, *arguments, code=0):
        return loam(self.home_a, *arguments, code=code, url=self.node_a.url, token=self.node_a.token())

    def b(self, *arguments, code=0):
        return loam(self.home_b, *arguments, code=code, url=self.node_b.url, token=self.node_b.token())

    def publish(self):
        share(self.node_a, self.home_a, pairs(0, 24))
        self.a("data", "build", "--out", self.home_a / "set", "--where", "kind = edit", "--no-parquet")
        job = train(self.home_a, self.home_a / "set", "sailor", gentle())
        share(self.node_a, self.home_a, pairs(100, 26))  # after the data set's height
        self.a("data", "build", "--out", self.home_a / "newer", "--where", "kind = edit", "--no-parquet")
        self.a("gate", "run", job["id"], "--newer", self.home_a / "newer", "-q")
        self.published = json.loads(self.a("publish", job["id"], "-y", "--json"))
        self.key = json.loads(self.a("ledger", "head", "--json"))["verifier_key"]

    def offers(self):
        return [json.loads(line) for line in self.b("channel", "ls", "--json").splitlines()]

    def lineage(self):
        return json.loads(self.b("model", "lineage", self.published["record"], "--from", self.node_a.url + "/log", "--key", self.key,
                                 "--json"))

    def chat(self, model):
        status, reply = self.node_b.post("/v1/chat/completions", {
            "model": model, "messages": [{"role": "user", "content": "Where did number 7 put the old lamp?"}], "max_tokens": 24,
            "temperature": 0}, headers=self.node_b.owner(), timeout=300)
        return status, reply


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    two = Two(tmp_path_factory.mktemp("two"))
    with harness.Node(home=two.home_a, model="smollm2", settings=["load.threads=1"]) as two.node_a:
        two.publish()
        with harness.Node(home=two.home_b, model="smollm2", settings=["load.threads=1"]) as two.node_b:
            followed = json.loads(two.b("follow", "add", two.node_a.url + "/log", "--key", two.key, "--json"))
            two.channel = followed["id"]
            yield two


def test_a_damaged_adapter_is_not_taken(two):
    """Its own node does not give it out any more, and nothing is decided about it; the nonce was committed to before that was seen."""
    [offer] = two.offers()
    assert offer["state"] == "offered" and offer["adoption"] == "ask" and offer["name"] == "sailor"
    path = Path(two.home_a) / "data" / "public" / two.published["adapter"]
    before = path.read_bytes()
    os.chmod(path, 0o644)
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        said = two.b("channel", "take", "sailor", "--attest", code=4)
    finally:
        path.write_bytes(before)
    assert two.published["adapter"] in said
    assert two.offers()[0]["state"] == "offered"
    assert len(two.b("ledger", "log", "--json").splitlines()) == 1
    assert two.chat("sailor")[0] == 404


def test_what_passes_here_too_answers_and_is_attested(two):
    taken = json.loads(two.b("channel", "take", "sailor", "--attest", "--json"))
    assert taken["verdict"] == "pass" and taken["publication"] == two.published["record"]
    assert taken["adapter_sha256"] == two.published["adapter"]
    status, reply = two.chat("sailor")
    assert status == 200 and "Ahoy" in reply["choices"][0]["message"]["content"], reply
    assert "Ahoy" not in two.chat("smollm2")[1]["choices"][0]["message"]["content"]
    [offer] = two.offers()
    assert offer["state"] == "taken"
    # That of the first try: what was cut short goes on with what it drew.
    attested, committed = [json.loads(line) for line in two.b("ledger", "log", "--json").splitlines()]
    assert attested["index"] == committed["index"] + 1
    for record in (attested, committed):
        assert record["kind"] == "attestation" and record["refs"] == [taken["publication"]]
    said = cbor2.loads(bytes.fromhex(attested["payload"]))
    nonce_hash = hashlib.sha256(b"loam.nonce.v1" + said[4]).digest()
    assert cbor2.loads(bytes.fromhex(committed["payload"])) == {5: nonce_hash}
    [shown] = two.lineage()["attestations"]
    assert shown["record"] == attested["id"] and shown["commitment"] == committed["id"] and shown["counts"]
    assert not list((two.home_b / "data" / "channels").glob("nonce-*"))
    assert not list((two.home_b / "cache" / "channels").iterdir())  # no text of another is kept


def test_rollback_gives_it_up(two):
    assert "as before" in two.b("rollback", "sailor")
    assert two.chat("sailor")[0] == 404
    [offer] = two.offers()
    assert offer["state"] == "rolled back"
    assert "sailor" in two.b("rollback", "sailor", code=3)
    assert "not taken from a channel" in two.b("rollback", "smollm2", code=2)


def test_keys_that_the_owner_lists_may_attest_instead(two):
    key = json.loads(two.b("ledger", "head", "--json"))["author"]
    assert "0 keys are listed" in two.b("channel", "set", two.channel, "--attested", "1", code=2)
    two.b("channel", "set", two.channel, "--attestor", "00" * 32, "--attested", "1")
    assert "0 of the listed keys" in two.b("channel", "take", "sailor", code=5)
    two.b("channel", "set", two.channel, "auto", "--attestor", key, "--attested", "1")
    taken = json.loads(two.b("channel", "take", "sailor", "--json"))
    assert taken["verdict"] is None and taken["attestations"] == 1
    two.b("rollback", "sailor")


def test_an_attestation_without_a_commitment_does_not_count(two):
    report = (two.home_a / "data" / "gates" / two.published["adapter"] / "report.json").read_text()
    status, said = two.node_a.post("/loam/v1/attestations", {
        "publication": two.published["record"], "report": report}, headers=two.node_a.owner())
    assert status == 201 and said["verdict"] == "pass" and said["commitment"] is None, said
    key = json.loads(two.a("ledger", "head", "--json"))["author"]
    two.b("channel", "set", two.channel, "--attestor", key, "--attested", "1")
    refused = two.b("channel", "take", "sailor", code=5)
    assert f"{said['record']} does not count: it names no commitment" in refused
    shown = {one["record"]: one["counts"] for one in two.lineage()["attestations"]}
    assert len(shown) == 2 and not shown[said["record"]]


def test_what_was_decided_is_not_taken_again_by_itself(two):
    two.b("channel", "set", two.channel, "auto")
    two.b("channel", "poll")
    assert two.chat("sailor")[0] == 404
