"""Bad requests at the byte level: each gets a clear refusal, and the node goes on serving."""
import json
import socket
import time

import pytest

OK_CHAT = {"model": "fake", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}


def talk(node, raw, timeout=30, half_close=False):
    """Sends raw bytes and returns everything that comes back until the node closes or is done."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=timeout) as link:
        try:
            link.sendall(raw)
            if half_close:
                link.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the node may refuse and close before it has taken everything
        received = b""
        try:
            while chunk := link.recv(65536):
                received += chunk
                if b"\r\n\r\n" in received and not half_close:
                    head, body = received.split(b"\r\n\r\n", 1)
                    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                    if length and len(body) >= int(length[0].split(b":")[1]):
                        break
        except OSError:
            pass
        return received


def status_of(received):
    assert received.startswith(b"HTTP/1."), received[:100]
    return int(received.split(b" ", 2)[1])


def post_raw(node, path, body, extra=b""):
    head = (f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{node.port}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n").encode()
    return talk(node, head + extra + b"\r\n" + body)


@pytest.fixture(autouse=True)
def lives_on(fake):
    yield
    status, _ = fake.post("/v1/chat/completions", OK_CHAT)
    assert status == 200


MALFORMED = [
    b"", b"{", b"[]", b"null", b"42", b"{\"model\":", b"\xff\xfe{}", b"{\"model\":\"fake\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
    b"{\"model\":\"fake\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", b"{\"model\":\"fake\",\"model\":\"fake\",\"messages\":[]}",
    b"[" * 100_000, b"{\"a\":" * 50_000, b"{\"model\":\"fake\",\"messages\":[],\"temperature\":1e999}", b"\x00" * 64,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize"])
def test_malformed_bodies_are_400(fake, schemas, path, body):
    received = post_raw(fake, path, body)
    assert status_of(received) == 400
    schemas.check("ErrorResponse", json.loads(received.split(b"\r\n\r\n", 1)[1]))


WRONG = [
    ("model", 5), ("model", ""), ("messages", "hi"), ("messages", []), ("messages", [5]), ("messages", [{"role": "king", "content": "x"}]),
    ("messages", [{"role": "user"}]), ("max_tokens", -1), ("max_tokens", "7"), ("max_tokens", 1.5), ("n", 10**9), ("n", 0), ("n", True),
    ("temperature", -1), ("temperature", "hot"), ("top_p", 2), ("top_k", -5), ("stop", 7), ("stop", [""]), ("stop", ["x"] * 1000),
    ("seed", "x"), ("logit_bias", {"x": 1}), ("logit_bias", {"1": 1000}), ("logit_bias", [1]), ("top_logprobs", 21), ("stream", "yes"),
    ("stream_options", 3), ("presence_penalty", 99), ("frequency_penalty", -99), ("tools", [{}]), ("response_format", {"type": "json_object"}),
    ("audio", {}), ("modalities", ["audio"]), ("commons", {"publish": True}),
]


@pytest.mark.parametrize("field,value", WRONG, ids=[f"{f}-{i}" for i, (f, _) in enumerate(WRONG)])
def test_a_wrong_field_is_named(fake, schemas, field, value):
    body = {"logprobs": True} if field == "top_logprobs" else {}
    status, reply = fake.post("/v1/chat/completions", {**OK_CHAT, **body, field: value})
    assert status in (400, 404) if field == "model" else status == 400
    schemas.check("ErrorResponse", reply)
    assert (reply["error"]["param"] or "").startswith(field)


def test_a_body_of_ten_megabytes_is_413(fake):
    assert status_of(post_raw(fake, "/v1/chat/completions", b"x" * 10_000_000)) == 413


def test_a_body_announced_too_large_is_refused_before_it_is_sent(fake):
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{fake.port}\r\ncontent-length: 99999999999\r\n\r\n".encode()
    assert status_of(talk(fake, head)) == 413


def test_a_hundred_thousand_header_bytes_are_431(fake):
    head = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{fake.port}\r\nx-long: ".encode() + b"a" * 100_000 + b"\r\n\r\n"
    assert status_of(talk(fake, head)) == 431


@pytest.mark.parametrize("raw", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /%zz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /a%00b HTTP/1.1\r\nhost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
], ids=range(9))
def test_broken_heads_are_refused(fake, raw):
    received = talk(fake, raw, timeout=15, half_close=True)
    assert received == b"" or status_of(received) in (400, 505)


def test_a_half_closed_client_still_gets_its_answer(fake):
    body = json.dumps(OK_CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{fake.port}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
    assert status_of(talk(fake, head + body, half_close=True)) in (200, 400, 408)


def test_slow_heads_hold_nobody_up_and_are_cut(fake):
    links = [socket.create_connection(("127.0.0.1", fake.port)) for _ in range(50)]
    try:
        for link in links:
            link.sendall(b"GET /health HT")
        began = time.monotonic()
        assert fake.get("/health")[0] == 200
        assert time.monotonic() - began < 5  # not behind the slow ones, which have 10 s
        links[0].settimeout(30)
        assert b"408" in links[0].recv(4096)
    finally:
        for link in links:
            link.close()


def test_unknown_paths_and_methods_are_json(fake, schemas):
    for method, path, expected in (("GET", "/nothing", 404), ("GET", "/v1/audio/speech", 404), ("DELETE", "/v1/chat/completions", 405),
                                   ("PUT", "/health", 405)):
        status, headers, body = fake.request(method, path)
        assert status == expected
        schemas.check("ErrorResponse", json.loads(body))
        if expected == 405:
            assert headers["allow"]


def test_a_foreign_host_or_origin_is_refused(fake):
    assert fake.request("GET", "/v1/models", headers={"host": "evil.example"})[0] == 403
    assert fake.request("POST", "/v1/chat/completions", OK_CHAT, headers={"origin": "https://evil.example"})[0] == 403


def test_whatever_changes_things_needs_the_owner(fake):
    for method, path, body in (("POST", "/loam/v1/pull", {"source": "/etc/passwd"}), ("POST", "/loam/v1/keys", {"label": "x", "scopes": "infer"}),
                               ("POST", "/loam/v1/shutdown", {}), ("DELETE", "/v1/models/fake", None), ("GET", "/loam/v1/keys", None)):
        assert fake.request(method, path, body)[0] == 401, path


def test_a_client_that_leaves_frees_its_sequence(fake):
    body = json.dumps({**OK_CHAT, "max_tokens": 4000, "ignore_eos": True, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{fake.port}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    links = [socket.create_connection(("127.0.0.1", fake.port)) for _ in range(8)]
    for link in links:
        link.sendall(head + body)
        assert b"200" in link.recv(100)
    for link in links:
        link.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        _, listed = fake.request("GET", "/loam/v1/ps", headers=fake.owner())[1:]
        stats = json.loads(listed)["models"][0]
        if stats["running"] == 0 and stats["waiting"] == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"sequences still run: {stats}")
