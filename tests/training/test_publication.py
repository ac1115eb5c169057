"""Publishes an adapter, and has a verifier that shares no code with Loam check it from the node's log and files alone."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import safetensors.numpy

import harness
from harness import ROOT

FORMATS = ROOT / "tests" / "formats"
CHECK = FORMATS / "publication_check.py"
sys.path.insert(0, str(FORMATS))

import publication_check  # noqa: E402
from record_check import Fault, decode, leaf_hash, parse_id, tree_root  # noqa: E402

QUESTIONS = ["What is a lighthouse for?", "Why does bread rise?", "What makes glass clear?", "Why is the sea salt?",
             "How does a kite fly?", "What is rust?"]
RECIPE = """
lora_rank = 2
cutoff_len = 64
per_device_train_batch_size = 2
gradient_accumulation_steps = 1
max_steps = 2
"""


class Story:
    """A node with a log, a training on it and what was published of that."""

    def __init__(self, home):
        self.home, self.records = home, []

    def loam(self, *arguments, code=0, text=None, home=None, alone=False):
        ran = harness.run_loam(*arguments, home=home or self.home, url=None if alone else self.node.url, text=text, timeout=600,
                               env=None if alone else {"LOAM_API_KEY": self.node.token()})
        assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
        return ran.stdout + ("" if code == 0 else ran.stderr)

    def json(self, *arguments, **more):
        return json.loads(self.loam(*arguments, "--json", **more))

    def settle(self):
        for _ in range(400):
            head = self.json("ledger", "head")
            if head["published"] == head["size"]:
                return head
        raise AssertionError(head)

    def learn(self):
        for seed, question in enumerate(QUESTIONS):
            status, reply = self.node.post("/v1/chat/completions", {
                "model": "smollm2", "messages": [{"role": "user", "content": question}], "max_tokens": 4, "seed": seed},
                headers=self.node.owner(), timeout=300)
            assert status == 200, reply
            status, shared = self.node.post("/loam/v1/share", {
                "answer": reply["id"], "licence": "CC-BY-4.0", "scope": ["train", "eval"], "now": True}, headers=self.node.owner())
            assert status == 201, shared
            self.loam("edit", shared["record"], "-", "-y", "--now", "-q", text=f"Ahoy! Of {question.lower()} a sailor says little.")
            self.records.append(shared["record"])
        self.key = self.settle()["verifier_key"]
        self.loam("data", "build", "--out", self.home / "set", "--where", "kind = edit", "--no-parquet")
        (self.home / "recipe.toml").write_text(RECIPE)
        self.job = self.json("train", "start", "--data", self.home / "set", "--recipe", self.home / "recipe.toml", "--name", "sailor")
        assert self.job["status"] == "succeeded", self.job

    def gate(self):
        """So few held-out answers give no verdict; a candidate may be published with whatever was said of it."""
        self.report = self.loam("gate", "run", self.job["id"], "--json", code=6)
        assert json.loads(self.report)["verdict"] == "inconclusive"

    def write_report(self, **changes):
        """The gate's report, with members changed from which its verdict does not follow."""
        text = self.report
        for name, value in changes.items():
            was = json.dumps(json.loads(self.report)[name])
            text = text.replace(f'"{name}": {was}', f'"{name}": {json.dumps(value)}', 1)
        path = self.home / "report.json"
        path.write_text(text)
        return path

    def blob(self, identity):
        status, _, content = self.node.request("GET", f"/blob/{identity}")
        assert status == 200, identity
        return content

    def check(self, record, *contains):
        ran = subprocess.run([sys.executable, CHECK, self.node.url, record, "--key", self.key,
                              *(word for file in contains for word in ("--contains", file))], capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    story = Story(tmp_path_factory.mktemp("home"))
    with harness.Node(home=story.home, model="smollm2", settings=["load.threads=1"]) as story.node:
        story.learn()
        said = story.loam("publish", "sailor", "-y", code=3)
        assert "loam gate run" in said
        story.gate()
        for changes in ({"adapter_sha256": "0" * 64}, {"data_set_root": "0" * 64}, {"base_sha256": "0" * 64}):
            assert "about another" in story.loam("publish", "sailor", "-y", "--gate", story.write_report(**changes), code=2)
        story.published = story.json("publish", "sailor", "-y", "--gate", story.write_report())
        story.first = story.published["record"]
        yield story


def test_files_come_by_their_hashes_whole_and_in_parts(story):
    manifest = json.loads(story.blob(story.published["manifest"]))
    assert [file["name"] for file in manifest["files"]] == publication_check.FILES
    assert manifest["licence"] == story.published["licence"] == "CC-BY-4.0"
    adapter = (Path(story.job["adapter"]) / "adapter.gguf").read_bytes()
    assert story.blob(story.published["adapter"]) == adapter
    status, headers, part = story.node.request("GET", f"/blob/{story.published['adapter']}", headers={"range": "bytes=4-7"})
    assert (status, part, headers["content-range"]) == (206, adapter[4:8], f"bytes 4-7/{len(adapter)}")
    for file in manifest["files"]:
        content = story.blob(file["sha256"])
        assert len(content) == file["bytes"]
        assert b"Ahoy" not in content and str(story.home).encode() not in content, file["name"]


def test_a_verifier_of_others_confirms_it(story):
    code, said = story.check(story.first)
    assert (code, said.startswith("ok: sailor of 12 records")) == (0, True), said


def test_each_change_of_a_file_is_named_by_both_verifiers(story):
    manifest = json.loads(story.blob(story.published["manifest"]))
    names = {file["name"]: file["sha256"] for file in manifest["files"]} | {"manifest": story.published["manifest"]}
    for name, identity in names.items():
        path = story.home / "data" / "public" / identity
        before = path.read_bytes()
        os.chmod(path, 0o644)
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        said = story.loam("model", "lineage", story.first, code=6)
        assert "DAMAGED" in said and identity in said and "it was changed" in said, (name, said)
        assert story.check(story.first)[0] == 1, name
        path.write_bytes(before)
    assert "verified" in story.loam("model", "lineage", story.first)


def test_the_lineage_is_a_tree_and_a_graph(story):
    tree = story.loam("model", "lineage", "sailor")
    for word in ("publication", "base", "adapter", "recipe", "run", "gate", "data set", "log", "edit", "data"):
        assert f"{word} " in tree, tree
    assert "verified: 1 publication, 12 records" in tree
    assert "2 records more" in tree and "records more" not in story.loam("model", "lineage", "sailor", "--all")
    value = story.json("model", "lineage", story.published["adapter"][:12])
    assert value["verified"] and value["faults"] == [] and value["records"] == 12 and value["lineage"]["id"] == story.first
    parts = {part["what"]: part for part in value["lineage"]["parts"]}
    assert not parts["base"]["claim"], "its file is here"
    assert {record["id"] for record in parts["data set"]["parts"][0]["parts"]} >= set(story.records)
    dot = story.loam("model", "lineage", "sailor", "--dot")
    assert dot.startswith("digraph") and dot.count("{") == dot.count("}") == 1 and "n0 -> n1;" in dot


def test_what_is_published_is_listed(story):
    listed = [json.loads(line) for line in story.loam("model", "ls", "--json").splitlines()]
    assert story.first in [one["record"] for one in listed]
    assert "sailor" in story.loam("model", "ls")


def test_a_contributor_gets_a_proof_either_way(story, tmp_path):
    absent = "loam1" + "a" * 52
    last = "loam1" + "7" * 51 + "q"
    files = []
    for record, wanted in ((story.records[0], True), (story.records[5], True), (story.first, False), (absent, False), (last, False)):
        said = story.json("model", "contains", "sailor", record)
        assert said["included"] is wanted and said["retracted_since"] is False, said
        files.append(tmp_path / f"{record}.json")
        files[-1].write_text(json.dumps(said))
        assert story.loam("model", "contains", "sailor", record, "-q").strip() == ("yes" if wanted else "no")
    code, said = story.check(story.first, *files)
    assert code == 0 and said.strip().endswith("in, in, not in, not in, not in"), said
    lie = json.loads(files[0].read_text()) | {"included": False}
    files[0].write_text(json.dumps(lie))
    assert story.check(story.first, files[0])[0] == 1
    story.loam("model", "contains", "sailor", "loam1nothing", code=2)
    story.loam("model", "contains", "nobody", story.records[0], code=3)


def test_a_stranger_verifies_it_over_http(story, tmp_path):
    where = ["--from", story.node.url + "/log", "--key", story.key]
    value = story.json("model", "lineage", story.first, *where, home=tmp_path / "fresh", alone=True)
    assert value["verified"] and value["records"] == 12
    parts = {part["what"]: part for part in value["lineage"]["parts"]}
    assert parts["base"]["claim"] and not parts["data set"]["parts"][0]["claim"]
    said = story.json("model", "contains", "sailor", story.records[1], *where, home=tmp_path / "fresh", alone=True)
    assert said["included"]
    other = story.key.split("+")
    assert story.loam("model", "lineage", story.first, "--from", story.node.url + "/log", "--key",
                      "+".join([*other[:2], other[2][:-4] + "AAA="]), home=tmp_path / "fresh", alone=True, code=2)


def test_the_same_again_is_the_same_record_and_a_child_names_its_parent(story):
    assert story.json("publish", story.job["id"], "-y", "--gate", story.write_report())["record"] == story.first
    child = story.json("publish", "sailor", "-y", "--gate", story.write_report(self_gated=False), "--parent", story.first)
    value = story.json("model", "lineage", child["record"])
    assert value["verified"] and value["publications"] == 2
    assert value["lineage"]["parts"][-1]["what"] == "parent" and value["lineage"]["parts"][-1]["id"] == story.first
    code, said = story.check(child["record"])
    assert code == 0, said
    missing = "loam1" + "a" * 52
    assert "is missing" in story.loam("publish", "sailor", "-y", "--gate", story.write_report(), "--parent", missing, code=3)
    assert "not a publication" in story.loam("publish", "sailor", "-y", "--gate", story.write_report(), "--parent",
                                             story.records[0], code=2)


def test_what_must_not_be_published_is_refused(story, tmp_path):
    adapter = Path(story.job["adapter"]) / "adapter.gguf"
    before = adapter.read_bytes()
    adapter.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert "adapter.gguf" in story.loam("publish", "sailor", "-y", "--gate", story.write_report(), code=6)
    adapter.write_bytes(before)
    rows = story.home / "set" / "sft.jsonl"
    text = rows.read_text()
    rows.write_text(text.replace("Ahoy", "Hola"))
    assert "damaged" in story.loam("publish", "sailor", "-y", "--gate", story.write_report(), code=6)
    rows.write_text(text)
    (tmp_path / "report.json").write_text("{}")
    assert "gate" in story.loam("publish", "sailor", "-y", "--gate", tmp_path / "report.json", code=6)
    story.loam("publish", "sailor", "--gate", story.write_report(), code=5)  # nobody said yes
    assert not list((story.home / "data" / "publishing").iterdir())


def test_a_retraction_after_the_training_is_shown_on_the_model(story, tmp_path):
    story.loam("retract", story.records[2])
    story.settle()
    said = story.loam("model", "lineage", story.first)
    assert "trained before retraction of" in said and story.records[2] in said and "verified" in said, said
    value = story.json("model", "lineage", story.first)
    withdrawn = [one["record"] for one in value["retracted"]]
    assert story.records[2] in withdrawn and len(withdrawn) == 2, "the owner's edit of it goes with it"
    contains = story.json("model", "contains", "sailor", story.records[2])
    assert contains["included"] and contains["retracted_since"]
    (tmp_path / "contains.json").write_text(json.dumps(contains))
    code, said = story.check(story.first, tmp_path / "contains.json")
    assert code == 0 and "2 retracted since, in" in said, said


def rewritten(story, **changes):
    """A manifest and its files with `changes`, all hashes put right: what only its meaning shows."""
    manifest = json.loads(story.blob(story.published["manifest"]))
    files = {file["name"]: story.blob(file["sha256"]) for file in manifest["files"]}
    record = story.node.get(f"/log/tile/entries/000.p/{story.json('ledger', 'head')['size']}")[1]
    while record:
        size = int.from_bytes(record[:2], "big")
        entry, record = record[2:2 + size], record[2 + size:]
        if publication_check.sha256(entry) == parse_id(story.first):
            header = decode(decode(entry)[2])
    names = {re.sub("[.-]", "_", name): name for name in files}
    for name, change in changes.items():
        if name in names:
            files[names[name]] = change(files[names[name]])
        else:
            change(manifest)
    for file in manifest["files"]:
        file["bytes"], file["sha256"] = len(files[file["name"]]), publication_check.sha256(files[file["name"]]).hex()
    text = publication_check.as_page(manifest)
    payload = decode(header[13])
    payload |= {3: publication_check.sha256(text), 4: publication_check.sha256(files["proofs.cbor"]), 5: manifest["licence"],
                6: [payload[6][0], publication_check.sha256(files["adapter.gguf"])]}
    blobs = {publication_check.sha256(content).hex(): content for content in (text, *files.values())}
    return header | {13: publication_check.record_check.cbor2.dumps(payload, canonical=True)}, blobs.__getitem__


def test_the_other_verifier_sees_what_only_the_meaning_shows(story):
    cbor2 = publication_check.record_check.cbor2

    def proofs(change):
        def changed(content):
            value = cbor2.loads(content)
            change(value)
            return cbor2.dumps(value, canonical=True)
        return changed

    def tensor(part, change):
        """That of PEFT's tensors with `part` in its name becomes what `change` makes of it."""
        def changed(content):
            value = safetensors.numpy.load(content)
            [name] = [name for name in value if part in name]
            value |= {name: change(value.pop(name))}
            return safetensors.numpy.save({name: numbers for name, numbers in value.items() if numbers is not None})
        return {"adapter_model_safetensors": changed}

    header, blob = rewritten(story)
    publication_check.check_publication(header, blob)
    spoilt = {
        "attn_q.*b has other numbers": tensor("layers.3.self_attn.q_proj.lora_B", lambda numbers: numbers[::-1] + 1),
        "ffn_up.*a has other numbers": tensor("layers.3.mlp.up_proj.lora_A", lambda numbers: numbers * 2),
        "ffn_up.*is missing": tensor("layers.3.mlp.up_proj.lora_A", lambda numbers: None),
        "infinity or NaN": tensor("layers.3.mlp.up_proj.lora_A", lambda numbers: numbers * numpy.float32("nan")),
        "another alpha": {"adapter_config_json": lambda content: re.sub(rb'("lora_alpha": \d+)', rb"\g<1>1", content)},
        "other parts": {"adapter_config_json": lambda content: content.replace(b'    "v_proj"', b'    "q_proj"')},
        "licence": {"manifest": lambda manifest: manifest.update(licence="CC0-1.0")},
        "seed": {"manifest": lambda manifest: manifest["run"].update(seed=1)},
        "verdict": {"manifest": lambda manifest: manifest["gate"].update(verdict="fail")},
        "query": {"manifest": lambda manifest: manifest["data_set"].update(query="kind = data")},
        "used records": {"proofs_cbor": proofs(lambda value: value[3].pop())},
        "not in its log": {"proofs_cbor": proofs(lambda value: value[3][0].__setitem__(1, 0 if value[3][0][1] else 1))},
        "not sorted": {"proofs_cbor": proofs(lambda value: value[3].reverse())},
        "run": {"recipe_toml": lambda content: content + b"# more\n"},
        "says of itself|GGUF": {"adapter_gguf": lambda content: content.replace(b"adapter.loam.run", b"adapter.loam.ran")},
    }
    for named, changes in spoilt.items():
        header, blob = rewritten(story, **changes)
        with pytest.raises(Fault, match=named):
            publication_check.check_publication(header, blob)


def test_the_trees_of_the_other_verifier_are_those_of_the_page():
    leaves = [leaf_hash(bytes([number])) for number in range(9)]
    for size in range(1, 10):
        root = tree_root(leaves[:size])
        for index in range(size):
            way, at, low, high = [], index, 0, size
            while high - low > 1:
                split = low + (1 << (high - low - 1).bit_length() - 1)
                way.append(tree_root(leaves[split:high] if at < split else leaves[low:split]))
                low, high = (low, split) if at < split else (split, high)
            path = way[::-1]
            assert publication_check.is_included(leaves[index], index, size, path, root)
            assert not publication_check.is_included(leaves[index], (index + 1) % size, size, path, root) or size == 1
