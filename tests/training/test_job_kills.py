"""kill -9 at any moment of a training and of its adoption: what comes of it in the end is the same bytes."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import harness
from sailor import loam, toy_home

KILLS = int(os.environ.get("LOAM_KILLS", "8"))  # ./check --deep sets 200
RECIPE = """
finetuning_type = "full"
cutoff_len = 160
per_device_train_batch_size = 2
gradient_accumulation_steps = 1
max_steps = 8
save_steps = 1
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    toy_home(home)
    loam(home, "data", "build", "--out", home / "set", "--where", "kind = edit", "--no-parquet")
    (home / "recipe.toml").write_text(RECIPE)
    return home


def start(home, *arguments):
    return json.loads(loam(home, "train", "start", "--data", home / "set", "--recipe", home / "recipe.toml", "--name", "parrot",
                           "--json", *arguments))


def made(job):
    """What a run leaves, but for pictures."""
    return [(Path(job["folder"]) / "log.jsonl").read_bytes(),
            *((Path(job["trained_model"]) / name).read_bytes() for name in ("model.gguf", "lineage.json"))]


def run_and_kill(home, arguments, is_time):
    """Starts a command and kills it as soon as `is_time(seconds)` says so, or lets it end."""
    process = subprocess.Popen([harness.loam_program(), "--home", home, *arguments], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    began = time.monotonic()
    while process.poll() is None and not is_time(time.monotonic() - began):
        time.sleep(0.0005)
    process.kill()
    return process.wait() == -signal.SIGKILL


def seconds_of(home, arguments):
    began = time.monotonic()
    loam(home, *arguments)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def undisturbed(home):
    return start(home)


def fresh_job(home):
    """A job that hardly began: its process is killed as soon as it holds the folder's lock."""
    job = start(home, "--background")
    lock = Path(job["folder"]) / "lock"
    for _ in range(10_000):
        if lock.exists() and lock.read_text().endswith("\n"):
            break
        time.sleep(0.001)
    os.kill(int(lock.read_text()), signal.SIGKILL)
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # the kernel takes its time
    return job


def moments(folder, seconds, kill):
    """When to kill: a checkpoint is being written, the result is, the result just came to its place; at growing times."""
    checkpoints = folder / "checkpoints"
    number = kill // 4 % 8 + 1  # which of the checkpoints

    def writes_checkpoint(_):
        names = os.listdir(checkpoints) if checkpoints.exists() else []
        return any(name.startswith(f"step-{number:012}.checkpoint.tmp-") for name in names)

    at = seconds * (kill + 1) / (KILLS + 1)
    return [writes_checkpoint, lambda _: (folder / "result.new").exists(), lambda _: (folder / "result").exists(),
            lambda now: now >= at][kill % 4]


def test_a_training_that_is_killed_at_any_moment_comes_to_the_same_bytes(home, undisturbed):
    expected = made(undisturbed)
    seconds = seconds_of(home, ["train", "resume", fresh_job(home)["id"], "--foreground"])
    killed = 0
    for kill in range(KILLS):
        job = fresh_job(home)
        folder = Path(job["folder"])
        killed += run_and_kill(home, ["train", "resume", job["id"], "--foreground"], moments(folder, seconds, kill))
        done = json.loads(loam(home, "train", "resume", job["id"], "--json"))
        assert done["status"] == "succeeded" and made(done) == expected, (kill, done)
        assert sorted(path.suffix for path in (folder / "checkpoints").iterdir()) == [".checkpoint"] * 2
        assert not (folder / "result.new").exists()
        shutil.rmtree(folder)
    assert killed > 0, "all ended before they could be killed"


def test_an_adoption_that_is_killed_at_any_moment_is_done_by_the_next(home, undisturbed, tmp_path):
    """Each time from the same state of all files; the model is whole or not there."""
    aside = tmp_path / "data"
    shutil.copytree(home / "data", aside)

    def put_back():
        shutil.rmtree(home / "data")
        shutil.copytree(aside, home / "data")

    adopt = ["train", "adopt", undisturbed["id"]]
    seconds = seconds_of(home, adopt)
    model = (Path(undisturbed["trained_model"]) / "model.gguf").read_bytes()
    killed = 0
    for kill in range(KILLS):
        put_back()
        killed += run_and_kill(home, adopt, lambda now, at=seconds * kill / KILLS: now >= at)
        adopted = json.loads(loam(home, *adopt, "--json"))
        assert adopted["model"] == "parrot"
        assert (home / "data" / "models" / f"{adopted['sha256']}.gguf").read_bytes() == model
    with harness.Node(home=home) as node:  # which clears away what the killed ones left beside it
        listed = [json.loads(line) for line in loam(home, "ls", "--json", url=node.url, token=node.token()).splitlines()]
        assert sorted(model["name"] for model in listed) == ["parrot", "toy"], listed
    assert not list((home / "data" / "models").glob("*.incomplete-*"))
    assert killed > 0, "all ended before they could be killed"
