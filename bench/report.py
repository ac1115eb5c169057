"""docs/bench.md: what was measured, on what, from which commit; a section for each suite."""

import os
import platform
import re
import subprocess
import time
import tomllib
from pathlib import Path

HEAD = "# Figures\n\nWritten by `bench/run SUITE`; change nothing by hand.\n"


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


def about(root, suite):
    if suite == "serve":
        pin = tomllib.loads((root / "deps" / "pins.toml").read_text())["llama-cpp"]
        return ("Model: the starter model (SmolLM2-135M-Instruct, Q4_1). Peers: "
                f"{pin['about'].partition(':')[0]}, built from the same source with the same flags.")
    if suite == "generations":
        return ("A model of 1,016,960 parameters (tests/toy_model.py) is trained on the prose of Perl 5.36's modules (Debian's "
                "perl-modules-5.36, Artistic or GPL-1+, written by people), and then ten times on texts of which a model wrote "
                "96 of 128 tokens, at temperature 1, after 32 by people: 512 texts, two passes. *replace*: the last model goes "
                "on from its own answers alone. *ours*: the base goes on, each time anew, from at least 60% texts by people that "
                "the base does not know, 10% answers of the last model, and the rest of older ones. Loss is the trainer's, over "
                "held-out files; answers are drawn by the trainer's own operators (bench/toy_sampler.cc), so that the figures are "
                "the same on every machine.")
    if suite in ("train", "peft"):
        peers = dict(line.split()[0].split("==") for line in (root / "bench" / "requirements.txt").read_text().splitlines()[1:])
        return ("Model: the starter model (SmolLM2-135M-Instruct), its weights as binary32 on both sides; texts: sentences of the "
                f"documentation of pinned sources. Peer: PyTorch {peers['torch']}, transformers {peers['transformers']}, PEFT "
                f"{peers['peft']}. Loam's steps are those of `loam train`'s process, without what it does before them.")
    seconds = (" Where it says one core, times are those of the processor, so that other programs do not count; `data build` and "
               "the script are timed from the start of the process to its end.") if suite == "dataset" else ""
    return ("Records are really signed; their text is sentences of the documentation of pinned sources, 15% votes, 2% edits, "
            "0.5% retractions, and 6% of the rest near duplicates of an earlier one." + seconds)


def how(suite, rounds):
    if suite == "generations":  # no times
        return ""
    if suite == "peft":
        return "Differences are the largest that were found. "
    return f"Ratios are medians over {rounds} rounds of one run, Loam and its peer in turns. "


def introduction(root, suite, results, rounds):
    if all(row.get("once") for row in results):
        return "Measured once, without a peer, with the starter model (SmolLM2-135M-Instruct, Q4_1)."
    return how(suite, rounds) + about(root, suite)


def write_up(root, suite, only, results, rounds):
    """The section of a suite, or of those of its figures that `only` names."""
    memory_kb = int(first_match("/proc/meminfo", "MemTotal").split()[0])
    lines = [
        f"## {suite}: {only}" if only else f"## {suite}",
        "",
        introduction(root, suite, results, rounds),
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
        reached = "-" if row["reached"] is None else "yes" if row["reached"] else "**no**"
        lines.append(f"| {row['figure']} | {row['against']} | {row['target']} | {row['result']} | {reached} "
                     f"| {row['detail']} |")
    for row in results:
        if "table" in row:
            lines += ["", *row["table"]]
    return "\n".join(lines) + "\n"


def keep(page, section):
    """Puts a section in the place of its older one; that of a whole suite also in the place of those of its figures."""
    def title(part):
        return part.partition("\n")[0]

    sections = {}
    for part in re.split(r"^(?=## )", page.read_text() if page.exists() else "", flags=re.M)[1:]:
        if not title(part).startswith(f"{title(section)}:"):
            sections[title(part)] = part.strip() + "\n"
    sections[title(section)] = section
    page.write_text("\n".join([HEAD, *sections.values()]))
