"""Starts and stops real nodes for whole-program tests: the built `loam`, on a free port, in a home of its own.

LOAM_BIN names the program (default bin/loam), LOAM_TEST_MODEL the starter model's file (default: where
tools/deps keeps it). A missing one is a failure, never a skip.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


def loam_program():
    program = Path(os.environ.get("LOAM_BIN", ROOT / "bin" / "loam"))
    assert program.exists(), f"{program} is not built: ./check builds it"
    return str(program)


def starter_model():
    path = os.environ.get("LOAM_TEST_MODEL")
    if not path:
        path = subprocess.run([ROOT / "tools" / "deps", "path", "starter-model"], check=True,
                              capture_output=True, text=True).stdout.strip()
    assert Path(path).is_file(), f"{path}: no starter model; run tools/deps fetch starter-model"
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_loam(*arguments, home=None, url=None, text=None, timeout=120, env=None):
    """Runs one command to its end; never uses the user's own node or folders."""
    command = [loam_program()]
    if home:
        command += ["--home", str(home)]
    if url:
        command += ["--url", url]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LOAM_")}
    environment.update(env or {})
    return subprocess.run(command + [str(a) for a in arguments], capture_output=True, text=True, input=text,
                          stdin=subprocess.DEVNULL if text is None else None, timeout=timeout, env=environment)


def oracle(sequences, lora=None):
    """ln p of each token but the first, by libllama alone; with an adapter if one is named."""
    program = os.environ.get("LOAM_ORACLE", ROOT / "build" / "release" / "bin" / "oracle")
    lines = "".join(" ".join(map(str, tokens)) + "\n" for tokens in sequences)
    command = [program, *(["--lora", lora] if lora else []), starter_model()]
    ran = subprocess.run(command, input=lines, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [[float(word) for word in line.split()] for line in ran.stdout.splitlines()]


class Node:
    """A running node. Use as a context manager."""

    def __init__(self, home=None, fake_step_ms=None, model=None, settings=(), port=None):
        self.owns_home = home is None
        self.home = Path(home or tempfile.mkdtemp(prefix="loam-test-"))
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.fake_step_ms = fake_step_ms
        self.model = model
        self.settings = settings
        self.log_path = self.home / "serve.log"
        self.process = None

    def __enter__(self):
        self.start()
        if self.model:
            pulled = run_loam("pull", starter_model(), "--name", self.model, "--licence", "Apache-2.0",
                              home=self.home, url=self.url)
            assert pulled.returncode == 0, pulled.stderr
        return self

    def __exit__(self, *_):
        self.stop()
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    def start(self):
        command = [loam_program(), "--home", str(self.home)]
        for setting in self.settings:
            command += ["--set", setting]
        command += ["serve", "--listen", f"127.0.0.1:{self.port}"]
        if self.fake_step_ms is not None:
            command += ["--fake-engine", str(self.fake_step_ms)]
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LOAM_")}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=environment)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the node ended with {self.process.returncode}:\n{self.log()}")
            try:
                if self.get("/health")[0] == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the node did not become healthy:\n{self.log()}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the node did not stop within {STOP_TIMEOUT_S} s:\n{self.log()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def token(self):
        return (self.home / "config" / "token").read_text().strip()

    def request(self, method, path, body=None, headers=None, timeout=60):
        """Returns (status, headers, body bytes) of any answer."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method,
                                         headers={"content-type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()

    def get(self, path, **kw):
        status, _, body = self.request("GET", path, **kw)
        return status, body

    def post(self, path, body, **kw):
        """Returns (status, parsed JSON)."""
        status, _, raw = self.request("POST", path, body, **kw)
        return status, json.loads(raw)

    def owner(self):
        return {"authorization": f"Bearer {self.token()}"}

    def worker_pids(self):
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]
