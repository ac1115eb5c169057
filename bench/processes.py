"""Servers under test, the load client, and how much memory a family of processes holds."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

READY_TIMEOUT_S = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def outside_environment():
    """Without what would set a node of somebody's."""
    return {key: value for key, value in os.environ.items() if not key.startswith("LOAM_")}


class Server:
    """A server process on a free port. Use as a context manager; it is stopped at the end."""

    def __init__(self, command):
        self.port = free_port()
        self.command = [part.replace("{port}", str(self.port)) for part in command]
        self.headers = []

    def __enter__(self):
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=outside_environment())
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
            return reply.read().decode()

    def wait_until_healthy(self):
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                self.get("/health")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"{self.command[0]} did not become ready") from None
                time.sleep(0.02)


class Home:
    """A node's home with the model in it, thrown away at the end."""

    def __init__(self, loam, model):
        self.loam, self.model = loam, model

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="loam-bench-")
        with Server(self.serve()) as node:
            node.wait_until_healthy()
            subprocess.run([self.loam, "--home", self.path, "--url", f"http://127.0.0.1:{node.port}", "pull",
                            self.model, "--name", "bench", "--licence", "Apache-2.0"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def serve(self, settings=(), options=()):
        command = [self.loam, "--home", self.path]
        for setting in ("keep_alive=-1", *settings):
            command += ["--set", setting]
        return command + ["serve", "--listen", "127.0.0.1:{port}", *options]


def send(load, server, requests, retry_s=0, times=False):
    """Sends all (path, body) at once; what the load client says of each."""
    command = [load, "127.0.0.1", str(server.port), "--retry-s", str(retry_s)]
    command += ["--times"] if times else []
    lines = "".join(f"{path}\t{json.dumps(body)}\n" for path, body in requests)
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def family(pid):
    """`pid` and its children, to any depth."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    members, left = [], [pid]
    while left:
        members.append(left.pop())
        left += parents.get(members[-1], [])
    return members


def memory_bytes(pid, but_files=".gguf"):
    """Memory of a family of processes, shared pages by share, without mappings of the model's file."""
    total = 0
    for member in family(pid):
        counted = True
        try:
            lines = Path(f"/proc/{member}/smaps").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name = line.split()[0]
            if not name.endswith(":"):
                counted = but_files not in line
            elif name == "Pss:" and counted:
                total += int(line.split()[1]) * 1024
    return total


def kv_bytes_per_token(model):
    """F16 keys and values of one token in all layers, from the file's header."""
    wanted = {}
    with open(model, "rb") as file:
        def number(form):
            return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))[0]

        def text():
            return file.read(number("Q")).decode()

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                inner, count = number("I"), number("Q")
                return [value(inner) for _ in range(count)]
            return number({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
                           12: "d"}[kind])

        file.read(8)  # magic, version
        number("Q")   # tensors
        for _ in range(number("Q")):
            key = text()
            found = value(number("I"))
            if isinstance(found, (int, str)):
                wanted[key] = found
    kind = wanted["general.architecture"]
    heads = wanted[f"{kind}.attention.head_count"]
    width = wanted[f"{kind}.embedding_length"] // heads * wanted[f"{kind}.attention.head_count_kv"]
    return wanted[f"{kind}.block_count"] * width * 2 * 2
