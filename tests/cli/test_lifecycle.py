"""`loam up`, `down`, `status` and a prompt, as a person uses them: a node in the background, found by its folders."""
import json
import os
import signal
import subprocess
import time

import harness
import pytest

ANYWHERE = {"LOAM_LISTEN": "127.0.0.1:0"}


def loam(home, *arguments, **more):
    return harness.run_loam(*arguments, home=home, env={**ANYWHERE, **more.pop("env", {})}, **more)


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    assert loam(tmp_path, "down").returncode == 0


def up(home, *more, step_ms=2):
    ran = loam(home, "up", "--fake-engine", step_ms, "--json", *more)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_up_is_found_by_every_verb_and_down_ends_it(home):
    assert loam(home, "status").returncode == 4
    first = up(home)
    assert first["started"] and first["url"].startswith("http://127.0.0.1:")
    again = up(home)
    assert not again["started"] and again["pid"] == first["pid"]
    assert json.loads(loam(home, "status", "--json").stdout)["pid"] == first["pid"]
    ran = loam(home, "run", "fake", "Hello", "--max-tokens", "5")
    assert ran.returncode == 0 and ran.stdout.strip() and not ran.stderr
    assert loam(home, "ps", "-q").stdout == "fake\n"
    assert loam(home, "stop", "fake").returncode == 0
    assert loam(home, "ps", "-q").stdout == ""
    assert loam(home, "down").stdout == "stopped\n"
    assert loam(home, "down").stdout == "no node is running\n"
    assert loam(home, "ps").returncode == 4


def test_two_starts_at_once_make_one_node(home):
    command = [harness.loam_program(), "--home", str(home), "up", "--fake-engine", "1", "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ANYWHERE}) for _ in range(2)]
    replies = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert replies[0]["pid"] == replies[1]["pid"]
    assert sorted(reply["started"] for reply in replies) == [False, True]


def test_a_node_that_was_killed_is_started_again(home):
    pid = up(home)["pid"]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while loam(home, "status").returncode != 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert up(home)["pid"] != pid


def test_a_start_that_fails_shows_the_reason(home):
    ran = loam(home, "up", env={"LOAM_LISTEN": "0.0.0.0:0"})
    assert ran.returncode == 5
    assert "API key" in ran.stderr
    # The first key can be made without a node.
    made = loam(home, "key", "new", "first", env={"LOAM_LISTEN": "0.0.0.0:0"})
    assert made.returncode == 0 and made.stdout.startswith("loam-")
    assert loam(home, "up", "--fake-engine", "1", env={"LOAM_LISTEN": "0.0.0.0:0"}).returncode == 0


def test_what_is_piped_in_is_the_prompt(home):
    up(home)
    alone = json.loads(loam(home, "run", "fake", "--json", "--seed", "1", "--max-tokens", "8", text="One two").stdout)
    given = json.loads(loam(home, "run", "fake", "One two", "--json", "--seed", "1", "--max-tokens", "8").stdout)
    assert alone["text"] == given["text"] and alone["usage"] == given["usage"]
    assert loam(home, "run", "fake", text="").returncode == 2


def test_ctrl_c_ends_an_answer_with_130(home):
    up(home)
    command = [harness.loam_program(), "--home", str(home), "run", "fake", "--max-tokens", "4000", "x"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(loam(home, "status", "--json").stdout)["running"] == 0


def test_sigterm_lets_a_running_answer_finish(home):
    pid = up(home)["pid"]
    command = [harness.loam_program(), "--home", str(home), "run", "fake", "--json", "--max-tokens", "200", "y"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 20
    while json.loads(loam(home, "status", "--json").stdout).get("running") != 1 and process.poll() is None:
        assert time.monotonic() < deadline
    os.kill(pid, signal.SIGTERM)
    answer = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0 and answer["finish_reason"] in ("stop", "length")


def test_a_second_ctrl_c_does_not_wait(home):
    pid = up(home, "--set", "stop_grace=600s", step_ms=1000)["pid"]
    command = [harness.loam_program(), "--home", str(home), "run", "fake", "--max-tokens", "3000", "slow"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while json.loads(loam(home, "status", "--json").stdout).get("running") != 1:
        assert time.monotonic() < deadline
    os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    os.kill(pid, signal.SIGINT)
    process.wait(timeout=30)
    assert loam(home, "status").returncode == 4


def test_doctor_finds_a_token_that_others_can_read(home):
    up(home)
    assert loam(home, "doctor").returncode == 0
    (home / "config" / "token").chmod(0o644)
    ran = loam(home, "doctor", "--json")
    assert ran.returncode == 1
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [f for f in found if f["health"] == "fail"][0]["fix"].startswith("chmod 600 ")
    (home / "config" / "token").chmod(0o600)
