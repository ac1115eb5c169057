"""kill -9 while records are posted, queued, rated, retracted and read: nothing acknowledged is lost or doubled."""
import itertools
import json
import os
import random
import threading
import time

import harness
from ledger.verifiers import check_grew, check_log

KILLS = int(os.environ.get("LOAM_KILLS", "20"))  # ./check --deep sets 200
TERMS = {"licence": "CC0-1.0", "scope": ["eval"], "now": True}
ATTEMPTS_MAX = 100_000


class Story:
    """What was acknowledged so far."""

    def __init__(self):
        self.lock = threading.Lock()
        self.records, self.votes, self.retracted, self.checkpoints = [], [], set(), []
        self.shares = itertools.count(1)
        self.queued = []  # submissions that wait for their time: every fifth
        self.doubtful = set()  # asked to be retracted when the node died: either is right


def write(node, story, stop):
    rng = random.Random(threading.get_ident())
    for _ in range(ATTEMPTS_MAX):
        if stop.is_set():
            return
        try:
            status, answer = node.post("/v1/completions", {"model": "fake", "prompt": f"p{rng.random()}", "max_tokens": 2},
                                       headers=node.owner())
            if status != 200:
                continue
            now = next(story.shares) % 5 != 0
            # By its name: who retracts a record takes back what else waits of the same answer.
            status, shared = node.post("/loam/v1/share", {**TERMS, "answer": answer["id"], "now": now}, headers=node.owner())
            if status != 201:
                continue
            if not now:
                with story.lock:
                    story.queued.append(shared["submission"])
                continue
            record = shared["record"]
            with story.lock:
                story.records.append(record)
            status, vote = node.post(f"/loam/v1/records/{record}/rate", {"vote": "up"}, headers=node.owner())
            if status == 201:
                with story.lock:
                    story.votes.append((vote["record"], record))
            if rng.random() < 0.4:
                with story.lock:
                    story.doubtful.add(record)
                status, _ = node.post(f"/loam/v1/records/{record}/retract", {}, headers=node.owner())
                if status == 200:
                    with story.lock:
                        story.retracted.add(record)
                        story.doubtful.discard(record)
        except (OSError, ValueError):
            time.sleep(0.01)  # it is dead


def read(node, story, stop):
    for _ in range(ATTEMPTS_MAX):
        if stop.is_set():
            return
        try:
            status, note = node.get("/log/checkpoint")
            if status == 200:
                with story.lock:
                    if not story.checkpoints or story.checkpoints[-1] != note:
                        story.checkpoints.append(note)
                size = int(note.split(b"\n")[1])
                width = size % 256
                if width:
                    status, bundle = node.get(f"/log/tile/entries/{size // 256:03}.p/{width}")
                    # A full bundle may have taken its place meanwhile.
                    assert status == 404 or bundle
        except OSError:
            time.sleep(0.01)


def publish_queued(node, story):
    """What waited when the node died still waits, with its text, and becomes a record when it is asked for."""
    for submission in story.queued:
        status, shown = node.get(f"/loam/v1/share/{submission}", headers=node.owner())
        assert status == 200 and json.loads(shown)["body"]["messages"], submission
        status, shared = node.post(f"/loam/v1/share/{submission}/now", {}, headers=node.owner())
        assert status == 200 and shared["record"] not in story.records, shared
        story.records.append(shared["record"])


def check(node, story, go_verifier, tmp_path):
    head = json.loads(node.get("/loam/v1/log", headers=node.owner())[1])
    known = {}
    before = head["size"]
    while before > 0:
        page = json.loads(node.get(f"/loam/v1/records?limit=1000&before={before}", headers=node.owner())[1])["records"]
        for record in page:
            assert record["id"] not in known
            known[record["id"]] = record
        before = page[-1]["index"]
    data = [record for record in known.values() if record["kind"] == "data"]
    assert len({record["body_commitment"] for record in data}) == len(data)  # none twice
    for record in story.records:
        assert known[record]["kind"] == "data"
        if record not in story.doubtful:
            assert known[record]["retracted"] == (record in story.retracted)
            assert node.request("GET", f"/log/body/{record}")[0] == (410 if record in story.retracted else 200)
    for vote, record in story.votes:
        assert known[vote]["refs"] == [record]
    # The log only grew: each checkpoint that was ever served is a beginning of this one.
    check_grew(node.url, head["verifier_key"], story.checkpoints)
    old = tmp_path / "checkpoint"
    for number in {0, len(story.checkpoints) // 2, len(story.checkpoints) - 1}:
        old.write_bytes(story.checkpoints[number])
        check_log(node.url, head["verifier_key"], go_verifier, old)


def wait_published(node):
    for _ in range(200):
        head = json.loads(node.get("/loam/v1/log", headers=node.owner())[1])
        if head["published"] == head["size"]:
            return
        time.sleep(0.05)
    raise AssertionError("the log is not published")


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path, go_verifier):
    story = Story()
    rng = random.Random(7)
    node = harness.Node(home=tmp_path / "home", fake_step_ms=0, settings=["share.cooling=24h"])
    node.start()
    for kill in range(KILLS):
        stop = threading.Event()
        threads = [threading.Thread(target=work, args=(node, story, stop)) for work in (write, write, write, read)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.2, 1.2))
        node.kill()
        stop.set()
        for thread in threads:
            thread.join()
        node.start()
    assert len(story.records) >= KILLS, "hardly anything was written between the kills"
    assert story.queued and story.checkpoints, "nothing was queued, or nothing read"
    publish_queued(node, story)
    wait_published(node)
    check(node, story, go_verifier, tmp_path)
    node.stop()
    verified = harness.run_loam("ledger", "verify", "--json", home=node.home)
    assert verified.returncode == 0, verified.stdout
