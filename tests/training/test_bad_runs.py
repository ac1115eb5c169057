"""Trainings that run out of disk, memory or numbers, and adapters with infinities: what was kept stays, and the error says what to do."""
import hashlib
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy
import pytest
from safetensors.numpy import load_file, save_file

import harness
from sailor import loam, toy_home

WHOLE = """
finetuning_type = "full"
cutoff_len = 160
per_device_train_batch_size = 2
gradient_accumulation_steps = 1
max_steps = 6
save_steps = 2
"""
DISK_MIB = 20  # one checkpoint of the toy has 11.6 MiB


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a model of a million parameters and a data set of its shared answers; no node runs on it."""
    home = tmp_path_factory.mktemp("home")
    toy_home(home)
    loam(home, "data", "build", "--out", home / "set", "--where", "kind = edit", "--no-parquet")
    return home


def start(home, name, recipe, *arguments, code=0):
    (home / f"{name}.toml").write_text(recipe)
    return loam(home, "train", "start", "--data", home / "set", "--recipe", home / f"{name}.toml", "--name", name,
                "--json", *arguments, code=code)


def newest_job(home):
    return json.loads(loam(home, "train", "ls", "--json").splitlines()[0])


def checkpoints(job):
    return {path.name: path.read_bytes() for path in (Path(job["folder"]) / "checkpoints").iterdir()}


def made(job):
    """What a run leaves, but for pictures."""
    return [(Path(job["folder"]) / "log.jsonl").read_bytes(),
            *((Path(job["trained_model"]) / name).read_bytes() for name in ("model.gguf", "lineage.json"))]


@contextmanager
def small_disk(folder, megabytes):
    """A file system of its own at `folder`; gives what makes it larger."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]  # as ./check itself needs it for packages
    folder.mkdir(parents=True, exist_ok=True)

    def mount(*options):
        subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)

    mount(f"size={megabytes}m", "mode=777")
    try:
        yield lambda more: mount("remount", f"size={more}m")
    finally:
        subprocess.run([*sudo, "umount", "-l", folder], check=True)


def test_a_full_disk_at_a_checkpoint_costs_the_steps_since_the_one_before(home):
    undisturbed = made(json.loads(start(home, "parrot", WHOLE)))
    with small_disk(home / "data" / "training", DISK_MIB) as enlarge:
        said = start(home, "parrot", WHOLE, code=1)
        job = newest_job(home)
        kept = checkpoints(job)
        assert job["status"] == "failed" and list(kept) == ["step-000000000002.checkpoint"], (job, list(kept))
        for word in ("step-000000000004.checkpoint", "No space left", f"loam train resume {job['id']}"):
            assert word in said, said
        assert "No space left" in job["error"]
        loam(home, "train", "resume", job["id"], code=1)  # the same again while there is no room
        assert checkpoints(job) == kept
        enlarge(200)
        done = json.loads(loam(home, "train", "resume", job["id"], "--json"))
        assert done["status"] == "succeeded" and made(done) == undisturbed


def test_a_run_stays_within_the_memory_and_threads_that_its_owner_allows(home):
    refused = json.loads(start(home, "large", WHOLE, "--set", "training.memory_max=20M", code=1))["error"]
    assert "20 MiB may be used" in refused["message"] and "training.memory_max" in refused["hint"], refused
    estimate = json.loads(start(home, "usual", WHOLE))["estimate"]
    assert estimate["memory_bytes_max"] >= estimate["memory_bytes"] > 20 << 20, estimate
    cap = estimate["memory_bytes"] + 1
    done = json.loads(start(home, "fits", WHOLE, "--set", f"training.memory_max={cap}", "--set", "training.threads=1"))
    assert done["status"] == "succeeded" and done["steps"] == estimate["steps"] == 6, done
    assert done["examples"] == estimate["examples"] and done["estimate"]["memory_bytes_max"] == cap, done
    assert json.loads((Path(done["folder"]) / "job.json").read_text())["threads"] == 1


def spoil(path, name, value):
    """Overwrites the numbers of a tensor in place."""
    [tensor] = [tensor for tensor in gguf.GGUFReader(path, "r+").tensors if tensor.name == name]
    tensor.data[:] = value
    tensor.data.flush()


def records_of(home):
    return {json.loads(line)["id"] for line in (home / "set" / "sft.jsonl").read_text().splitlines()}


@pytest.fixture(scope="module")
def brittle(home):
    """Gradients through a norm of this size are just within binary32, and a long step takes them out of it."""
    shutil.copy(home / "toy.gguf", home / "brittle.gguf")
    spoil(home / "brittle.gguf", "output_norm.weight", 2.2e18)
    with harness.Node(home=home) as node:
        loam(home, "pull", home / "brittle.gguf", "--name", "brittle", url=node.url, token=node.token())
    return "brittle"


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_a_loss_that_is_no_number_ends_the_run_at_the_checkpoint_before(home, brittle, stage):
    long_steps = WHOLE.replace("save_steps = 2", f'save_steps = 1\nlearning_rate = 0.5\nwarmup_ratio = 1\nstage = "{stage}"')
    error = json.loads(start(home, f"wild-{stage}", long_steps, "--model", brittle, code=6))["error"]
    job = newest_job(home)
    bad_step = int(error["message"].split("step ")[1].split(":")[0])
    assert bad_step > 1 and "no number" in error["message"] and "learning_rate" in error["hint"], error
    named = set(re.findall("loam1[a-z2-7]+", error["message"]))
    assert named and named <= records_of(home), error
    assert job["status"] == "failed" and "trained_model" not in job and error["message"] in job["error"], job
    kept = checkpoints(job)
    assert max(kept) == f"step-{bad_step - 1:012}.checkpoint"
    parameters = numpy.frombuffer(kept[max(kept)][8 + 32 + 24:-32], numpy.float32)
    assert numpy.isfinite(parameters).all()
    again = json.loads(loam(home, "train", "resume", job["id"], "--json", code=6))["error"]
    assert again == error and checkpoints(job) == kept


TAUGHT = """
finetuning_type = "full"
cutoff_len = 160
per_device_train_batch_size = 8
gradient_accumulation_steps = 1
learning_rate = 3e-3
max_steps = 80
"""
LORA = """
lora_rank = 2
cutoff_len = 160
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
max_steps = 2
"""


def test_an_adapter_with_infinities_comes_in_nowhere(home, tmp_path):
    taught = json.loads(start(home, "taught", TAUGHT, "--model", "toy"))  # so that its answers end, and the gate is quick
    loam(home, "train", "adopt", taught["id"])
    job = json.loads(start(home, "sailor", LORA, "--model", "taught"))
    ours = Path(job["adapter"])
    theirs = shutil.copytree(ours, tmp_path / "theirs")
    tensors = load_file(theirs / "adapter_model.safetensors")
    name = next(iter(tensors))
    tensors[name][-1, -1] = numpy.inf
    save_file(tensors, theirs / "adapter_model.safetensors")
    said = loam(home, "train", "import", theirs, "--model", "taught", "--name", "infinite", code=6)
    assert name in said and "infinity" in said, said
    report = loam(home, "gate", "run", job["id"], "--json", code=6)  # too few answers for a verdict
    before = (ours / "adapter.gguf").read_bytes()
    for half in ("lora_a", "lora_b"):
        spoil(ours / "adapter.gguf", f"blk.1.attn_q.weight.{half}", numpy.inf)
    for arguments in (["gate", "run"], ["train", "adopt"]):
        said = loam(home, *arguments, job["id"], code=6)
        assert "blk.1.attn_q.weight.lora_" in said and "infinity" in said, said
    # Its publisher may write whatever it likes about it: no node takes it for a publication.
    was, now = (hashlib.sha256(content).hexdigest() for content in (before, (ours / "adapter.gguf").read_bytes()))
    for path, text in ((ours / "lineage.json", (ours / "lineage.json").read_text()), (home / "report.json", report)):
        assert was in text
        path.write_text(text.replace(was, now))
    with harness.Node(home=home) as node:
        said = loam(home, "publish", job["id"], "-y", "--gate", home / "report.json", code=6, url=node.url, token=node.token())
        assert "infinity" in said, said
        status, reply = node.post("/v1/chat/completions", {
            "model": "toy", "messages": [{"role": "user", "content": "Where?"}], "max_tokens": 4}, headers=node.owner())
        assert status == 200, reply
