"""A followed log that publishes by the thousand: what it offers stays bounded, and keeps no other log from being heard."""
import functools
import hashlib
import http.server
import json
import resource
import sys
import threading
import time

import pytest

import harness
from harness import ROOT
from sailor import loam

sys.path.insert(0, str(ROOT / "tests" / "formats"))

import make_log  # noqa: E402
from make_records import ALICE, LOG, NET, Key, cbor, digest  # noqa: E402

PUBLICATIONS = 10_000
LISTED_MAX = 100  # of a log; src/cli/taking.cc
TRIED_MAX = 3  # of a log in one poll; src/cli/channel.cc
OTHER = Key("another log", 9)


def write_log(folder, key, names):
    """A log of publications whose files nobody has; gives its verifier key."""
    log, origin = make_log.Log(), f"loam/{NET.hex()}/{key.public.hex()}"
    for name in names:
        payload = {1: 2, 2: name, 3: digest(f"manifest {name}"), 4: digest(f"proofs {name}"), 5: "CC-BY-4.0",
                   6: [digest("base"), digest(f"adapter {name}")]}
        log.add("publication", ALICE, _13=cbor(payload), _16=hashlib.sha256(key.public).digest())
    folder.mkdir(parents=True)
    make_log.publish(folder, log.entries, key, origin)
    return make_log.verifier_key(key.public, origin)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A node that follows a log of many publications, and one of a single publication that is older than all of those."""
    folder = tmp_path_factory.mktemp("logs")
    logs = {"many": write_log(folder / "many" / "log", LOG, [f"sailor-{i}" for i in range(PUBLICATIONS)]),
            "one": write_log(folder / "one" / "log", OTHER, ["gardener"])}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with harness.Node(fake_step_ms=1) as node:
        for name, key in logs.items():
            loam(node.home, "follow", "add", f"http://127.0.0.1:{server.server_port}/{name}/log", "--key", key, url=node.url,
                 token=node.token())
        yield node
    server.shutdown()
    server.server_close()


def called(node, *arguments):
    return loam(node.home, *arguments, url=node.url, token=node.token())


def timed(node, *arguments):
    begun = time.monotonic()
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, timeout=600, env={"LOAM_API_KEY": node.token()})
    memory_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # the largest child so far
    print(f"loam {' '.join(arguments[:2])}, {PUBLICATIONS} publications: {time.monotonic() - begun:.1f} s, "
          f"{memory_kib // 1024} MiB at most")
    assert ran.returncode == 0, ran.stderr
    return ran


def test_a_list_shows_the_newest_of_each_log(crowded):
    offers = [json.loads(line) for line in timed(crowded, "channel", "ls", "--json").stdout.splitlines()]
    names = [offer["name"] for offer in offers]
    newest = [f"sailor-{i}" for i in reversed(range(PUBLICATIONS - LISTED_MAX, PUBLICATIONS))]
    assert [name for name in names if name != "gardener"] == newest
    assert names.count("gardener") == 1


def test_a_poll_tries_a_few_of_each_log_and_the_next_one_goes_on(crowded):
    for line in called(crowded, "follow", "ls", "--json").splitlines():
        called(crowded, "channel", "set", json.loads(line)["id"], "auto")
    for first, others in ((PUBLICATIONS, ["take gardener:"]), (PUBLICATIONS - TRIED_MAX, [])):
        ran = timed(crowded, "channel", "poll")
        tried = [f"take sailor-{i}:" for i in range(first - TRIED_MAX, first)] + others
        said = ran.stderr.splitlines()
        assert len(said) == len(tried) and all(any(line.startswith(word) for line in said) for word in tried), said
    assert crowded.get("/health")[0] == 200
