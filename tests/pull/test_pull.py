"""`loam pull` against a local server that cuts connections, lies about sizes and ignores ranges."""
import hashlib
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import harness
import pytest

FILE_BYTES = 6_000_000


@pytest.fixture
def model_bytes(request):
    """A small whole GGUF, another one for each test: what is on the machine already is not fetched again."""
    import gguf
    import numpy
    import tempfile
    with tempfile.NamedTemporaryFile(suffix=".gguf") as out:
        writer = gguf.GGUFWriter(out.name, "llama")
        writer.add_name("tiny")
        writer.add_description(request.node.name)
        writer.add_license("Apache-2.0")
        writer.add_context_length(128)
        writer.add_embedding_length(64)
        writer.add_block_count(1)
        writer.add_tensor("token_embd.weight", numpy.arange(FILE_BYTES // 4, dtype=numpy.float32).reshape(-1, 100))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with open(out.name, "rb") as file:
            return file.read()


class Server:
    """Serves one file in the manner that `behave(handler, content, first)` gives it."""

    def __init__(self, content):
        self.content = content
        self.behave = None
        self.ranges = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                wanted = self.headers.get("range")
                outer.ranges.append(wanted)
                self.close_connection = True
                outer.behave(self, outer.content, int(wanted[6:-1]) if wanted else 0)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/tiny.gguf"


def head(handler, status, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.send_header("connection", "close")
    handler.end_headers()


def honest(handler, content, first, stop=None, etag='"v1"'):
    if first:
        head(handler, 206, content_length=len(content) - first, content_range=f"bytes {first}-{len(content) - 1}/{len(content)}", etag=etag)
    else:
        head(handler, 200, content_length=len(content), etag=etag, accept_ranges="bytes")
    handler.wfile.write(content[first:stop])


@pytest.fixture
def server(model_bytes):
    """Other weights for each test: a file whose hash the node holds already is not fetched again."""
    made = Server(model_bytes[:-8] + os.urandom(8))
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def puller():
    with harness.Node(fake_step_ms=1) as node:
        yield node


def pull(node, server, *more, digest=None, name="tiny", timeout=90):
    digest = digest or hashlib.sha256(server.content).hexdigest()
    return harness.run_loam("pull", server.url, "--name", name, "--sha256", digest, *more, home=node.home, url=node.url, timeout=timeout)


def installed(node, name="tiny"):
    listed = harness.run_loam("ls", "--json", home=node.home, url=node.url)
    return [json.loads(line) for line in listed.stdout.splitlines() if name in line]


def test_an_honest_server(puller, server):
    server.behave = honest
    ran = pull(puller, server)
    assert ran.returncode == 0, ran.stderr
    assert installed(puller)
    shown = json.loads(harness.run_loam("show", "tiny", "--json", home=puller.home, url=puller.url).stdout)
    assert hashlib.sha256(server.content).hexdigest() in json.dumps(shown)
    assert "Apache-2.0" in json.dumps(shown)
    assert harness.run_loam("rm", "tiny", "--yes", home=puller.home, url=puller.url).returncode == 0
    assert not installed(puller)


def test_cut_connections_are_continued(puller, server):
    """Each connection gives a million bytes and breaks; what came is kept and asked for no more."""
    def cut(handler, content, first):
        honest(handler, content, first, stop=first + 1_000_000)
    server.behave = cut
    ran = pull(puller, server, name="cut")
    assert ran.returncode == 0, ran.stderr
    starts = [int(r[6:-1]) for r in server.ranges if r]
    assert len(starts) >= 4 and starts == sorted(starts) and starts[0] > 0


def test_a_server_that_ignores_ranges_is_started_over(puller, server):
    state = {"n": 0}

    def ignore(handler, content, first):
        state["n"] += 1
        head(handler, 200, content_length=len(content))
        handler.wfile.write(content if state["n"] > 1 else content[:1_500_000])
    server.behave = ignore
    ran = pull(puller, server, name="ignored")
    assert ran.returncode == 0, ran.stderr


def test_a_file_that_changed_meanwhile_is_started_over(puller, server):
    state = {"n": 0}

    def changing(handler, content, first):
        state["n"] += 1
        if state["n"] == 1:
            honest(handler, content[:8] + b"\0" * (len(content) - 8), 0, stop=2_000_000, etag='"old"')
        elif handler.headers.get("if-range") == '"old"':
            honest(handler, content, 0, etag='"new"')
        else:
            honest(handler, content, first, etag='"new"')
    server.behave = changing
    ran = pull(puller, server, name="changed")
    assert ran.returncode == 0, ran.stderr


def test_a_wrong_hash_is_refused_with_exit_6(puller, server):
    server.behave = honest
    ran = pull(puller, server, digest="ab" * 32, name="wrong")
    assert ran.returncode == 6
    assert not installed(puller, "wrong")


@pytest.mark.parametrize("claim", [100, 60_000_000_000_000])
def test_a_lie_about_the_size_is_refused(puller, server, claim):
    def lie(handler, content, first):
        head(handler, 200, content_length=claim)
        try:
            handler.wfile.write(content)
        except OSError:
            pass
    server.behave = lie
    ran = pull(puller, server, name="lie")
    assert ran.returncode in (1, 4, 6)
    assert ran.stderr.strip()
    assert not installed(puller, "lie")


def test_an_endless_body_is_ended(puller, server):
    def endless(handler, content, first):
        head(handler, 200)
        try:
            for _ in range(4000):
                handler.wfile.write(b"\0" * 1_000_000)
        except OSError:
            pass
    server.behave = endless
    ran = pull(puller, server, name="endless", timeout=240)
    assert ran.returncode in (1, 4, 6)
    assert not installed(puller, "endless")


def test_not_found_is_exit_3_and_a_url_without_hash_exit_2(puller, server):
    server.behave = lambda handler, content, first: head(handler, 404, content_length=0)
    assert pull(puller, server).returncode == 3
    ran = harness.run_loam("pull", server.url, home=puller.home, url=puller.url)
    assert ran.returncode == 2
    assert "sha256" in ran.stderr


def test_an_interrupted_pull_continues(puller, server):
    def slow(handler, content, first):
        head(handler, 206 if first else 200, content_length=len(content) - first, etag='"v1"',
             **({"content_range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if first else {}))
        try:
            for at in range(first, len(content), 200_000):
                handler.wfile.write(content[at:at + 200_000])
                time.sleep(0.1)
        except OSError:
            pass
    server.behave = slow
    command = [harness.loam_program(), "--home", str(puller.home), "--url", puller.url, "pull", server.url, "--name", "slow", "--sha256",
               hashlib.sha256(server.content).hexdigest()]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    started.send_signal(signal.SIGINT)
    _, stderr = started.communicate(timeout=20)
    assert started.returncode == 130
    assert "continue" in stderr
    time.sleep(0.5)
    server.behave = honest
    ran = pull(puller, server, name="slow")
    assert ran.returncode == 0, ran.stderr
    assert int(server.ranges[-1][6:-1]) > 200_000


def test_offline_refuses_to_connect(tmp_path, server):
    server.behave = honest
    with harness.Node(home=tmp_path, fake_step_ms=1, settings=["offline=true"]) as node:
        ran = pull(node, server)
        assert ran.returncode in (1, 5)
        assert "offline" in ran.stderr
        assert server.ranges == []
        local = harness.run_loam("pull", harness.starter_model(), "--name", "here", home=tmp_path, url=node.url)
        assert local.returncode == 0, local.stderr


def test_a_pull_survives_kill_9_of_the_node(tmp_path, server):
    def cut(handler, content, first):
        honest(handler, content, first, stop=first + 1_500_000)
        time.sleep(0.5)
    server.behave = cut
    node = harness.Node(home=tmp_path, fake_step_ms=1)
    node.start()
    started = subprocess.Popen([harness.loam_program(), "--home", str(tmp_path), "--url", node.url, "pull", server.url, "--name", "killed",
                                "--sha256", hashlib.sha256(server.content).hexdigest()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    node.kill()
    started.wait(30)
    assert started.returncode == 4
    server.behave = honest
    server.ranges.clear()
    with harness.Node(home=tmp_path, fake_step_ms=1, port=node.port) as again:
        ran = pull(again, server, name="killed")
        assert ran.returncode == 0, ran.stderr
        assert server.ranges[0] and int(server.ranges[0][6:-1]) >= 1_000_000
