"""The figures of `bench/run dataset`. Each returns what docs/bench.md says of it."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from serve import measured, median, pairs, say

RECORDS = 100_000
SCRIPT = Path(__file__).with_name("straight.py")
ARROW = Path(__file__).with_name("arrow.py")


def run(*command):
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


def told(*command):
    return json.loads(run(*command))


def seconds(*command):
    """How long a process takes from its start to its end."""
    begin = time.monotonic()
    run(*command)
    return time.monotonic() - begin


class Bench:
    """A node's home with a log, and data sets made of it, in `folder`; thrown away at the end."""

    def __init__(self, programs, sentences, rounds, folder):
        self.programs, self.rounds, self.folder = programs, rounds, Path(folder)
        say(f"  making {RECORDS} records")
        (self.folder / "sentences").write_text("\n".join(sentences) + "\n")
        self.home, self.set = self.folder / "home", self.folder / "set"
        self.key = told(programs["ledger"], "make", self.home, RECORDS, self.folder / "sentences")["key"]
        self.build(self.set)

    def build(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        return seconds(self.programs["loam"], "--home", self.home, "data", "build", "--out", folder, "--no-parquet")

    def straight(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        return seconds(self.programs["python"], SCRIPT, self.home / "data" / "ledger", folder)

    def verify(self):
        ratios, rates = [], []
        for turn in range(self.rounds):
            one = told(self.programs["dataset"], "verify", self.set, self.key)
            ratios.append(one["signatures_s"] / one["verify_s"])
            rates.append((one["records"] / one["verify_s"], one["signatures"] / one["signatures_s"]))
            say(f"  round {turn + 1} of {self.rounds}: {one['verify_s']:.3f} and {one['signatures_s']:.3f}")
        ratio = median(ratios)
        return {"figure": f"`data verify`, {RECORDS} records, one core", "against": "libsodium on the same signatures, one core",
                "target": ">= 0.85", "result": f"{ratio:.3f}", "reached": ratio >= 0.85,
                "detail": f"{median([a for a, _ in rates]):.0f} records/s against {median([b for _, b in rates]):.0f} "
                          f"signatures/s; {one['rows']} rows, every file made again and compared"}

    def same_share(self, folder):
        """Lines of the script's sft.jsonl that Loam's has, and of all that stand in either."""
        ours, theirs = (set((one / "sft.jsonl").read_bytes().splitlines()) for one in (self.set, folder))
        share = len(ours & theirs) / len(ours | theirs)
        if share < 0.98:
            raise RuntimeError(f"the script and Loam share {share:.2%} of the lines: they do not do the same")
        return share

    def jsonl(self):
        again, theirs = self.folder / "again", self.folder / "straight"
        a, b = pairs(self.rounds, lambda: self.build(again), lambda: self.straight(theirs))
        ratio = median([y / x for x, y in zip(a, b)])
        return {"figure": f"`data build` to JSONL, {RECORDS} records",
                "against": "a straight Python script with the same filters (bench/straight.py)",
                "target": ">= 5", "result": f"{ratio:.2f}", "reached": ratio >= 5,
                "detail": f"{median(a):.1f} against {median(b):.1f} s; {self.same_share(theirs):.2%} of the lines are the same. "
                          f"Loam uses {len(os.sched_getaffinity(0))} cores, verifies, compresses and keeps what a verifier needs "
                          "besides; the script uses one core and does none of that"}

    def parquet(self):
        jsonl, size = self.set / "sft.jsonl", (self.set / "sft.jsonl").stat().st_size

        def write(*command):
            file = self.folder / "rows.parquet"
            file.unlink(missing_ok=True)
            return told(*command, jsonl, file)["seconds"]

        a, b = pairs(self.rounds, lambda: write(self.programs["dataset"], "parquet"),
                     lambda: write(self.programs["python"], ARROW))
        ratio = median([y / x for x, y in zip(a, b)])
        return {"figure": "the rows of sft.jsonl to Parquet, one core", "against": "pyarrow writing the same rows, one core",
                "target": ">= 1", "result": f"{ratio:.2f}", "reached": ratio >= 1,
                "detail": f"{median(a):.2f} against {median(b):.2f} s for {size / 1e6:.0f} MB of JSON lines, both from "
                          "the lines to a file on the disk, compressed with zstd"}


FIGURES = {"verify": Bench.verify, "jsonl": Bench.jsonl, "parquet": Bench.parquet}


def measure(programs, sentences, rounds, wanted, place):
    with tempfile.TemporaryDirectory(prefix="loam-bench-", dir=place) as folder:
        return measured(Bench(programs, sentences, rounds, folder), FIGURES, wanted)
