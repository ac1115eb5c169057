"""The figures of `bench/run generations`. Each returns what docs/bench.md says of it."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import perl_prose
from serve import say

TOY = Path(__file__).resolve().parent.parent / "tests" / "toy_model.py"
WORSE_MAX = 0.005  # of text by people: a model that is worse than its base by more is not to follow it


def run(programs, folder):
    """What bench_generations says of each model, by arm: the base is each arm's generation 0."""
    folder = Path(folder)
    learned, held_out = ("\n".join(part) + "\n" for part in perl_prose.documents())
    (folder / "learned").write_text(learned)
    (folder / "held_out").write_text(held_out)
    subprocess.run([programs["python"], TOY, folder / "toy.gguf"], input=learned, text=True, check=True)
    models = {"replace": [], "ours": []}
    command = [programs["generations"], programs["loam"], folder / "toy.gguf", folder / "learned", folder / "held_out",
               len(os.sched_getaffinity(0))]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            one = json.loads(line)
            say(f"  {one['arm']} {one['generation']}: {one['nll']:.4f} nat, {one['pairs']} pairs")
            for arm in models if one["arm"] == "base" else [one["arm"]]:
                models[arm].append(one)
    if process.returncode != 0:
        raise RuntimeError("bench_generations failed")
    return models, hashlib.sha256((learned + held_out).encode()).hexdigest()


def table(models):
    lines = ["| generation | replace: human text, nat a token | its answers: kinds of pairs | ours: human text | kinds of pairs |",
             "|---|---|---|---|---|"]
    for a, b in zip(models["replace"], models["ours"]):
        lines.append(f"| {a['generation'] or 'base'} | {a['nll']:.4f} | {a['pairs']} | {b['nll']:.4f} | {b['pairs']} |")
    return lines


def collapse(programs, folder):
    models, text = run(programs, folder)
    base = models["ours"][0]

    def worse(arm):
        return [one["nll"] / base["nll"] - 1 for one in models[arm][1:]]

    ours, theirs = max(worse("ours")), worse("replace")[-1]
    detail = f"{base['learned']} texts of 128 tokens that the base learned from, {base['newer']} for the generations, {base['held_out']} held out (SHA-256 of all {text[:12]})"
    return [{"figure": "human text after ten generations, each from the answers of the last alone", "against": "the base",
             "target": "worse, as Shumailov et al. 2024 have it", "result": f"{theirs:+.1%}", "reached": theirs > 0,
             "detail": detail},
            {"figure": "human text in the worst of ten generations that begin at the base and learn from people for 60 %", "against": "the base",
             "target": f"never more than {WORSE_MAX:.1%} worse", "result": f"{ours:+.2%}", "reached": ours <= WORSE_MAX,
             "detail": f"the last {worse('ours')[-1]:+.2%}; as many steps, at the same rate", "table": table(models)}]


FIGURES = {"collapse": collapse}


def measure(programs, place):
    with tempfile.TemporaryDirectory(prefix="loam-bench-", dir=place) as folder:
        return collapse(programs, folder)
