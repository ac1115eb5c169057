"""Logs that cannot be written, and servers that do not behave: a clear error, and nothing is lost."""
import http.server
import json
import os
import subprocess
import threading
from contextlib import contextmanager

import harness
import pytest
from search_test import found, loam, share


@pytest.fixture(scope="module")
def key():
    with harness.Node(fake_step_ms=1) as node:
        return json.loads(loam(node, "ledger", "head", "--json"))["verifier_key"]


@contextmanager
def serving(reply):
    """A web server that answers every GET by `reply(handler)`. Yields its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            try:
                reply(self)
            except OSError:  # the client has had enough
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/log"
    finally:
        server.shutdown()
        server.server_close()


def never_ends(handler):
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def goes_round(handler):
    handler.send_response(302)
    handler.send_header("location", handler.path)
    handler.send_header("content-length", "0")
    handler.end_headers()


def is_cut_off(handler):
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


@pytest.mark.parametrize("reply", [never_ends, goes_round, is_cut_off])
def test_a_server_that_does_not_behave_is_named_and_nothing_is_written(tmp_path, key, reply):
    with serving(reply) as url:
        ran = harness.run_loam("data", "build", "--out", tmp_path / "set", "--from", url, "--key", key, home=tmp_path / "home")
    assert ran.returncode not in (0, 2) and url in ran.stderr, ran
    assert not (tmp_path / "set").exists()


@contextmanager
def read_only(folder):
    sudo = [] if os.geteuid() == 0 else ["sudo"]  # as ./check itself needs it for packages
    subprocess.run([*sudo, "mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run([*sudo, "mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run([*sudo, "umount", folder], check=True)


def test_a_log_that_cannot_be_written_is_said_and_goes_on_when_it_can(tmp_path):
    node = harness.Node(home=tmp_path / "home", fake_step_ms=1)
    ledger = node.home / "data" / "ledger"
    with node:
        first = share(node, "the first needle")
    with read_only(ledger):
        with pytest.raises(AssertionError, match=str(ledger)):
            node.start()
        assert node.process.wait() != 0
    with node:
        assert found(node, "needle") == [first]
        second = share(node, "the second needle")
        assert sorted(found(node, "needle")) == sorted([first, second])
        assert "verified: 2 records" in loam(node, "ledger", "verify")
