"""Trainings of toys that take seconds: thumbs from the log to a model, a model of Qwen2's shape, and low priority."""
import json
import os
import time
from pathlib import Path

import gguf
import numpy
import pytest

import harness
import toy_model
from sailor import loam, pairs, share, wait_published

RECIPE = """
cutoff_len = 160
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
learning_rate = 3e-3
"""
WHOLE = RECIPE + 'finetuning_type = "full"\n'
NICENESS = 10  # env::work_in_background


def vote(node, records, thumb):
    for record in records:
        status, said = node.post(f"/loam/v1/records/{record}/rate", {"vote": thumb}, headers=node.owner())
        assert status == 201, said


def edits(node):
    listed = json.loads(node.get("/loam/v1/records?limit=1000", headers=node.owner())[1])["records"]
    return {record["id"] for record in listed if record["kind"] == "edit"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a toy of each family, and a data set of answers that people like and others that they do not."""
    home = tmp_path_factory.mktemp("home")
    for name, architecture in (("toy", "llama"), ("qwen", "qwen2")):
        toy_model.write(home / f"{name}.gguf", (harness.ROOT / "LICENSE").read_text(), architecture)
    with harness.Node(home=home) as node:
        for name in ("toy", "qwen"):
            loam(home, "pull", home / f"{name}.gguf", "--name", name, url=node.url, token=node.token())
        share(node, home, pairs(0, 16), model="toy")
        good = edits(node)
        vote(node, good, "up")
        share(node, home, ((question, f"Nobody has seen it, says {question[10:21]}, and I shall not look for it.")
                           for question, _ in pairs(100, 16)), model="toy")
        vote(node, edits(node) - good, "down")
        wait_published(node, home)
    loam(home, "data", "build", "--out", home / "set", "--where", "kind = edit", "--no-parquet")
    return home


def start(home, data, model, recipe, *arguments):
    (home / "recipe.toml").write_text(recipe)
    return json.loads(loam(home, "train", "start", "--data", home / data, "--model", model, "--recipe", home / "recipe.toml",
                           *arguments, "--json"))


def losses(home, job):
    return [json.loads(line)["loss"] for line in loam(home, "train", "logs", job["id"], "--json").splitlines()]


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_thumbs_become_a_model(home, kind):
    rows = [json.loads(line) for line in (home / "set" / "kto.jsonl").read_text().splitlines()]
    labels = [row["label"] for row in rows if row["split"] == "train"]
    assert labels.count(True) >= 5 and labels.count(False) >= 5, labels
    recipe = (WHOLE if kind == "full" else RECIPE) + 'stage = "kto"\nmax_steps = 40\n'
    job = start(home, "set", "toy", recipe, "--name", f"liked-{kind}")
    assert job["status"] == "succeeded" and job["examples"] == len(labels)
    found = losses(home, job)
    assert abs(found[0] - 0.5) < 0.01  # as likely as the base makes it: sigmoid(0) of every answer
    assert sum(found[-5:]) / 5 < 0.8 * found[0], found
    adopted = json.loads(loam(home, "train", "adopt", job["id"], "--json"))
    with harness.Node(home=home, settings=["load.threads=1"]) as node:
        status, reply = node.post("/v1/chat/completions", {
            "model": adopted["model"], "messages": [{"role": "user", "content": "Where?"}], "max_tokens": 4}, headers=node.owner())
        assert status == 200, reply


def test_a_model_of_qwens_shape_learns_with_biases_and_a_head_of_its_own(home):
    job = start(home, "set", "qwen", WHOLE + "max_steps = 30\n", "--name", "whole-qwen")
    found = losses(home, job)
    assert found[-1] < 0.7 * found[0], found
    old, new = ({tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
                for path in (home / "qwen.gguf", Path(job["trained_model"]) / "model.gguf"))
    assert new.keys() == old.keys() and {"output.weight", "blk.0.attn_k.bias"} <= new.keys()
    for name, data in new.items():
        assert data.shape == old[name].shape and not numpy.array_equal(data, old[name]), name
    adapter = start(home, "set", "qwen", RECIPE + "lora_rank = 4\nmax_steps = 30\n", "--name", "tuned-qwen")
    found = losses(home, adapter)
    assert found[-1] < found[0], found
    for job in (job, adapter):
        adopted = json.loads(loam(home, "train", "adopt", job["id"], "--json"))
        with harness.Node(home=home, settings=["load.threads=1"]) as node:
            status, reply = node.post("/v1/chat/completions", {
                "model": adopted["model"], "messages": [{"role": "user", "content": "Where?"}], "max_tokens": 4},
                headers=node.owner())
            assert status == 200, reply


def test_a_training_leaves_the_processor_to_others(home):
    job = start(home, "set", "toy", WHOLE + "max_steps = 3000\n", "--name", "slow", "--background")
    for _ in range(1200):
        state = json.loads(loam(home, "train", "show", job["id"], "--json"))
        if state["step"] > 0:
            break
        assert state["status"] in ("queued", "running"), state
        time.sleep(0.05)
    pid = int((Path(job["folder"]) / "lock").read_text())
    assert os.getpriority(os.PRIO_PROCESS, pid) == NICENESS
    loam(home, "train", "stop", job["id"])
