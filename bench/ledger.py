"""The figures of `bench/run ledger`. Each returns what docs/bench.md says of it."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from processes import Server
from serve import measured, median, pairs, say

RECORDS = 100_000
POST_SECONDS = 5
BATCH_WRITERS = 256
QUERIES = 1000


class Bench:
    """`folder` is on the disk that is measured, and thrown away at the end."""

    def __init__(self, programs, sentences, rounds, folder):
        self.programs, self.rounds, self.folder = programs, rounds, Path(folder)
        self.sentences = self.folder / "sentences"
        self.sentences.write_text("\n".join(sentences) + "\n")
        self.home, self.made = self.folder / "home", None

    def tool(self, *arguments):
        done = subprocess.run([self.programs["ledger"], *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    def fresh(self, name):
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def made_home(self):
        """A node's home with the records in it, made once."""
        if self.made is None:
            say(f"  making {RECORDS} records")
            self.made = self.tool("make", self.home, RECORDS, self.sentences)
        return self.made

    def post(self, writers):
        return self.tool("post", self.fresh("post"), writers, POST_SECONDS, self.sentences)

    def posts(self):
        found, ratios = [], []
        for turn in range(self.rounds):
            one = self.post(16)
            rate, limit = one["posts"] / one["seconds"], min(one["bare"], one["signatures"])
            ratios.append(rate / limit)
            found.append((one, rate))
            say(f"  round {turn + 1} of {self.rounds}: {rate:.0f} against {one['bare']:.0f} written, "
                f"{one['signatures']:.0f} signed")
        ratio = median(ratios)
        shares = {part: median([one[part + "_s"] / one["seconds"] for one, _ in found])
                  for part in ("sign_and_apply", "statements", "commits")}
        return {"figure": "durable signed posts, 16 writers, 1 KB bodies",
                "against": "the smaller of signatures on all cores, and write + fdatasync of the same bytes in the same groups",
                "target": ">= 0.5", "result": f"{ratio:.3f}", "reached": ratio >= 0.5,
                "detail": f"{median([rate for _, rate in found]):.0f} posts/s in groups of "
                          f"{median([one['posts'] / one['groups'] for one, _ in found]):.1f}; "
                          f"{median([one['signatures'] for one, _ in found]):.0f} signatures/s, "
                          f"{median([one['bare'] for one, _ in found]):.0f} written/s; of the time "
                          f"{shares['sign_and_apply']:.0%} signing, {shares['statements']:.0%} in statements, "
                          f"{shares['commits']:.0%} in commits"}

    def tessera(self):
        size = self.post(BATCH_WRITERS)["bytes"]  # of a record, its salt and its body

        def ours():
            one = self.post(BATCH_WRITERS)
            return one["posts"] / one["seconds"]

        def theirs():
            done = subprocess.run([self.programs["tessera"], str(self.fresh("tessera")), str(BATCH_WRITERS), str(size),
                                   str(POST_SECONDS)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            one = json.loads(done.stdout)
            return one["entries"] / one["seconds"]

        a, b = pairs(self.rounds, ours, theirs)
        ratio = median([x / y for x, y in zip(a, b)])
        return {"figure": f"durable signed posts, {BATCH_WRITERS} writers, 1 KB bodies",
                "against": f"Tessera 1.0.4, POSIX, batches of 256 / 1 ms, unsigned entries of {size} bytes",
                "target": ">= 1.0", "result": f"{ratio:.3f}", "reached": ratio >= 1,
                "detail": f"{median(a):.0f} posts/s against {median(b):.0f} entries/s"}

    def disk(self):
        made = self.made_home()
        used = {}
        for path in (self.home / "data" / "ledger").rglob("*"):
            part = "tiles" if "log" in path.relative_to(self.home).parts else "database"
            used[part] = used.get(part, 0) + path.stat().st_blocks * 512
        beside = (sum(used.values()) - made["body_bytes"]) / RECORDS
        return {"figure": "disk beside the bodies, a record", "against": "limit", "target": "<= 700 B",
                "result": f"{beside:.0f} B", "reached": beside <= 700,
                "detail": f"{RECORDS} records with {made['body_bytes'] / 1e6:.1f} MB of bodies: database "
                          f"{used['database'] / 1e6:.1f} MB, tiles {used['tiles'] / 1e6:.1f} MB; the word index apart"}

    def start_s(self, home):
        """From the start of the process until it answers."""
        command = [self.programs["loam"], "--home", str(home), "serve", "--listen", "127.0.0.1:{port}", "--fake-engine", "1"]
        with Server(command) as node:
            node.wait_until_healthy()
            return time.monotonic() - node.started

    def killed(self):
        """A copy of the home whose writer was killed while it posted."""
        home = self.folder / "killed"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.home, home)
        with subprocess.Popen([self.programs["ledger"], "hammer", str(home), "16", str(self.sentences)],
                              stdout=subprocess.PIPE, text=True) as writer:
            writer.stdout.readline()
            time.sleep(0.5)
            writer.kill()
        return home

    def restart(self):
        self.made_home()
        a, b = pairs(self.rounds, lambda: self.start_s(self.killed()), lambda: self.start_s(self.fresh("empty")))
        slower = median([x - y for x, y in zip(a, b)])
        return {"figure": f"restart after a kill, {RECORDS} records", "against": "a start with an empty home",
                "target": "<= 1 s more", "result": f"{slower:.3f} s", "reached": slower <= 1,
                "detail": f"{median(a):.3f} against {median(b):.3f} s from the start of the process until it answers"}

    def search(self):
        self.made_home()
        folder, ratios, found = self.fresh("search"), [], []
        for _ in range(self.rounds):
            shutil.rmtree(folder)
            folder.mkdir()
            done = subprocess.run([self.programs["search"], str(self.home), str(folder), str(QUERIES), str(self.sentences)],
                                  check=True, stdout=subprocess.PIPE, text=True)
            one = json.loads(done.stdout)
            if one["different"] > one["queries"] // 10:  # equal ranks may come in another order
                raise RuntimeError(f"{one['different']} of {one['queries']} queries found something else")
            ratios.append(one["p95_ms"] / one["bare_p95_ms"])
            found.append(one)
        ratio, last = median(ratios), found[-1]
        return {"figure": f"search p95, {RECORDS} records, in process", "against": "bare FTS5, the same ranking and filters",
                "target": "<= 1.2", "result": f"{ratio:.3f}", "reached": ratio <= 1.2,
                "detail": f"{median([one['p95_ms'] for one in found]):.1f} against "
                          f"{median([one['bare_p95_ms'] for one in found]):.1f} ms, p50 {last['p50_ms']:.1f} against "
                          f"{last['bare_p50_ms']:.1f} ms; with snippets, without them; {QUERIES} queries, "
                          f"{last['hits'] / QUERIES:.0f} hits each; indexed in {last['indexed_s']:.0f} s"}


FIGURES = {"posts": Bench.posts, "tessera": Bench.tessera, "disk": Bench.disk, "restart": Bench.restart,
           "search": Bench.search}


def measure(programs, sentences, rounds, wanted, place):
    with tempfile.TemporaryDirectory(prefix="loam-bench-", dir=place) as folder:
        return measured(Bench(programs, sentences, rounds, folder), FIGURES, wanted)
