"""Workers and model files that misbehave: the node lives, says which file, and the next request works."""
import os
import signal
import struct
import threading
import time

import harness
import pytest


def chat(node, content, model="fake", **more):
    return node.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 5, **more})


@pytest.fixture
def alone():
    with harness.Node(fake_step_ms=2) as node:
        yield node


def test_a_crash_in_the_engine_is_an_error_and_the_next_request_works(alone):
    assert chat(alone, "hello")[0] == 200
    status, body = chat(alone, "\n!crash\n")
    assert status == 503
    assert "fake" in body["error"]["message"]
    assert chat(alone, "hello again")[0] == 200


def test_kill_9_of_a_worker_fails_what_was_in_flight_only(alone):
    assert chat(alone, "hello")[0] == 200
    results = []
    asking = [threading.Thread(target=lambda: results.append(chat(alone, "long", max_tokens=3000, ignore_eos=True)[0])) for _ in range(4)]
    for thread in asking:
        thread.start()
    time.sleep(0.5)
    workers = alone.worker_pids()
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for thread in asking:
        thread.join(30)
    assert results == [503] * 4
    assert chat(alone, "hello again")[0] == 200


def test_workers_die_with_their_node(alone):
    assert chat(alone, "hello")[0] == 200
    workers = alone.worker_pids()
    alone.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{pid}/stat") and open(f"/proc/{pid}/stat").read().split()[2] != "Z" for pid in workers):
        time.sleep(0.05)
    for pid in workers:
        assert not os.path.exists(f"/proc/{pid}/stat") or open(f"/proc/{pid}/stat").read().split()[2] == "Z"


def starter_bytes():
    with open(harness.starter_model(), "rb") as file:
        return file.read()


def test_truncated_and_corrupted_models_are_refused_or_die_alone(tmp_path):
    """Files cut at many places and with damaged headers: pull refuses them, or the worker does; the node goes on."""
    whole = starter_bytes()
    variants = {f"cut{n}": whole[:n] for n in (0, 3, 4, 23, 24, 500, 100_000, 2_000_000, len(whole) - 1)}
    for at in (4, 8, 16, 24, 32, 60):
        variants[f"flip{at}"] = whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4:3_000_000]
    variants["huge-count"] = b"GGUF" + struct.pack("<IQQ", 3, 2**62, 2**62)
    variants["huge-string"] = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63) + b"x" * 100
    variants["text"] = b"this is not a model\n" * 1000
    with harness.Node(model="smollm2") as node:
        for name, content in variants.items():
            file = tmp_path / f"{name}.gguf"
            file.write_bytes(content)
            pulled = harness.run_loam("pull", file, "--name", name, home=node.home, url=node.url)
            if pulled.returncode == 0:
                status, body = chat(node, "hello", model=name)
                assert status >= 400, name
                assert name in body["error"]["message"] or ".gguf" in body["error"]["message"]
            else:
                assert pulled.returncode in (1, 2, 6), (name, pulled.returncode, pulled.stderr)
                assert pulled.stderr.strip()
        assert chat(node, "hello", model="smollm2")[0] == 200


def with_template(template):
    """The starter model with another chat template, everything else the same."""
    import gguf
    import numpy
    import tempfile
    reader = gguf.GGUFReader(harness.starter_model())
    out = tempfile.NamedTemporaryFile(suffix=".gguf", delete=False).name
    writer = gguf.GGUFWriter(out, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        if field.name == "tokenizer.chat_template":
            writer.add_chat_template(template)
            continue
        kind = field.types[0]
        writer.add_key_value(field.name, field.contents(), kind, sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type, raw_shape=numpy.array(tensor.data.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def test_a_template_that_loops_kills_its_worker_only():
    hostile = with_template("{% for a in range(1000000000) %}{% for b in range(1000000000) %}x{% endfor %}{% endfor %}")
    try:
        with harness.Node(model="smollm2") as node:
            pulled = harness.run_loam("pull", hostile, "--name", "looper", home=node.home, url=node.url)
            assert pulled.returncode == 0, pulled.stderr
            status, _, raw = node.request("POST", "/v1/chat/completions", {"model": "looper", "messages": [{"role": "user", "content": "hi"}]}, timeout=180)
            assert status in (400, 500, 503, 504), raw
            assert b"looper" in raw or b".gguf" in raw
            assert chat(node, "hello", model="smollm2")[0] == 200
    finally:
        os.unlink(hostile)
