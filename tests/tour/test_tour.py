"""The tour as a person runs it: every step on the starter model, and nothing of it left behind."""
import json
import os
import signal
import subprocess
import time

import pytest

import harness

STEPS = ["nodes", "share", "data", "train", "held-out", "gate", "publish", "follow", "take", "ask", "end"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that has the starter model, and no node that runs."""
    home = tmp_path_factory.mktemp("home")
    with harness.Node(home=home, model="smollm2"):
        pass
    return home


def environment(folder):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOAM_")}
    return {**kept, "TMPDIR": str(folder)}


def programs_in(folder):
    """Process ids of whatever still works on files below the folder."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


def test_the_whole_loop_makes_another_node_answer_better(home, tmp_path):
    ran = harness.run_loam("tour", "--json", home=home, timeout=3600, env={"TMPDIR": str(tmp_path)})
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    said = {line["step"]: line for line in map(json.loads, ran.stdout.splitlines())}
    assert list(said) == STEPS
    assert said["data"]["lessons"] > 80
    assert said["train"]["last_loss"] < 0.7 * said["train"]["first_loss"]
    assert said["gate"]["verdict"] == said["take"]["verdict"] == "pass"
    assert said["gate"]["held_out"] >= 20
    assert said["ask"]["after"].startswith("Ahoy!") and not said["ask"]["before"].startswith("Ahoy!")
    assert list(tmp_path.iterdir()) == [] and programs_in(tmp_path) == []


def test_ctrl_c_ends_both_nodes_and_leaves_nothing(home, tmp_path):
    command = [harness.loam_program(), "--home", str(home), "tour", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment(tmp_path)) as tour:
        assert json.loads(tour.stdout.readline())["step"] == "nodes"
        time.sleep(1)  # somewhere in the next step: where does not matter
        tour.send_signal(signal.SIGINT)
        _, said = tour.communicate(timeout=120)
        assert tour.returncode == 130, said
    assert list(tmp_path.iterdir()) == [] and programs_in(tmp_path) == []


def test_without_the_model_it_says_where_to_get_one(tmp_path):
    ran = harness.run_loam("tour", home=tmp_path / "home", env={"TMPDIR": str(tmp_path)})
    assert ran.returncode == 3 and "./run" in ran.stderr
