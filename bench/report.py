"""docs/bench.md: what was measured, on what, from which commit."""

import os
import platform
import subprocess
import time
import tomllib
from pathlib import Path


def first_match(path, key):
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "unknown"


def commit(root):
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "cmake", "deps", "bench")
    return git("rev-parse", "--short=12", "HEAD") + (" with uncommitted changes" if changed else "")


def write_up(root, results, rounds):
    memory_kb = int(first_match("/proc/meminfo", "MemTotal").split()[0])
    pin = tomllib.loads((root / "deps" / "pins.toml").read_text())["llama-cpp"]
    lines = [
        "# Figures",
        "",
        "Written by `bench/run serve`; change nothing by hand. Ratios are medians over "
        f"{rounds} alternating pairs of one run. Model: the starter model (SmolLM2-135M-Instruct, Q4_1).",
        f"Peers: {pin['about'].partition(':')[0]}, built from the same source with the same flags.",
        "",
        f"- machine: {first_match('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores, "
        f"{memory_kb / 2**20:.0f} GB, {platform.system()} {platform.release()}",
        f"- load average at the end: {os.getloadavg()[0]:.2f} (the bench itself keeps all cores busy)",
        f"- commit: {commit(root)}",
        f"- date: {time.strftime('%Y-%m-%d', time.gmtime())}",
        "",
        "| figure | against | to reach | result | reached | medians |",
        "|---|---|---|---|---|---|",
    ]
    for row in results:
        reached = "yes" if row["reached"] else "**no**"
        lines.append(f"| {row['figure']} | {row['against']} | {row['target']} | {row['result']} | {reached} "
                     f"| {row['detail']} |")
    return "\n".join(lines) + "\n"
