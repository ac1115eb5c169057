"""The figures of `bench/run train`. Each returns what docs/bench.md says of it."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from processes import Home, Server, outside_environment
from serve import THREADS, measured, median, pairs, say
from swap import swap
from training import Trainers, write_recipe, write_texts

TEXTS, LENGTH = 4, 256  # of a step
FIRST_LOSS_DIFFERENCE_MAX = 1e-3  # in nat; else the two do not do the same
ANSWERS, QUESTION_TOKENS, ANSWER_TOKENS = 200, 50, 100
SCORED_AT_ONCE = 8


class Bench:
    def __init__(self, trainers, rounds):
        self.trainers, self.rounds = trainers, rounds

    def steps(self, prompt):
        """Tokens a second of both in each round, and what else the two say of that run."""
        folder = self.trainers.folder
        recipe = write_recipe(folder / "recipe.toml", cutoff_len=LENGTH, per_device_train_batch_size=TEXTS)
        texts = write_texts(folder / "texts", self.trainers.texts.take(8 * TEXTS, LENGTH), prompt)
        start = folder / f"start-{prompt}"
        with self.trainers.ours(recipe, texts, THREADS) as ours:
            ours.ask("save", start)
            with self.trainers.theirs(start, recipe, texts, THREADS) as theirs:
                first = [one.ask("step") for one in (ours, theirs)]  # memory is touched for the first time
                if abs(first[0]["loss"] - first[1]["loss"]) > FIRST_LOSS_DIFFERENCE_MAX:
                    raise RuntimeError(f"the first step's losses differ: {first[0]['loss']} and {first[1]['loss']}")
                peaks = [max(one.ask("sgemm")["gflops"] for _ in range(3)) for one in (ours, theirs)]
                a, b = pairs(self.rounds, *(lambda one=one: TEXTS * LENGTH / one.ask("step")["seconds"]
                                            for one in (ours, theirs)))
                return {"ours": a, "theirs": b, "peaks": peaks, "gflop_per_token": first[0]["gflop"] / (TEXTS * LENGTH),
                        "memory": [one.memory_most() / 2**20 for one in (ours, theirs)]}

    @staticmethod
    def speed(run, title, target, target_words):
        ratio = median([x / y for x, y in zip(run["ours"], run["theirs"])])
        return {"figure": title, "against": f"PyTorch + PEFT, {THREADS} threads, the same weights, texts and first adapter",
                "target": target_words, "result": f"{ratio:.2f}", "reached": ratio >= target,
                "detail": f"{median(run['ours']):.0f} against {median(run['theirs']):.0f} tokens/s"}

    def lora(self):
        run = self.steps(prompt=1)
        peak = max(run["peaks"])
        speed = run["gflop_per_token"] * median(run["ours"])
        share = speed / peak
        ours, theirs = run["memory"]
        return [
            self.speed(run, f"LoRA r=8 of all linear parts, SmolLM2-135M, {TEXTS} x {LENGTH} tokens, loss on all of them",
                       1.2, ">= 1.2, best effort 1.5"),
            {"figure": "the same, share of the processor's speed", "against": f"the larger sgemm peak of the two, {THREADS} threads",
             "target": ">= 0.6", "result": f"{share:.2f}", "reached": share >= 0.6,
             "detail": f"{speed:.0f} against {peak:.0f} GFLOP/s (Loam's product {run['peaks'][0]:.0f}, PyTorch's "
                       f"{run['peaks'][1]:.0f}, 1536 x 1536 x 1536); {run['gflop_per_token']:.3f} GFLOP a token, nothing counted "
                       "twice (src/train/cost.h)"},
            {"figure": "the same, most memory of the process", "against": "PyTorch + PEFT", "target": "<= 0.5",
             "result": f"{ours / theirs:.2f}", "reached": ours / theirs <= 0.5,
             "detail": f"{ours:.0f} against {theirs:.0f} MB, weights as binary32 in both"}]

    def lora_answers(self):
        return self.speed(self.steps(prompt=LENGTH // 2), "the same, loss on the second half of each text", 1.3, ">= 1.3")

    def scoring(self):
        texts = self.trainers.texts.take(ANSWERS, QUESTION_TOKENS + ANSWER_TOKENS)
        share = ANSWERS // self.rounds
        parts = [texts[at:at + share] for at in range(0, share * self.rounds, share)]

        with Home(self.trainers.programs["loam"], self.trainers.model) as home, \
                Server(home.serve()) as node, ThreadPoolExecutor(SCORED_AT_ONCE) as pool:
            node.wait_until_healthy()

            def ask(prompt, **fields):
                body = {"model": "bench", "prompt": prompt, "temperature": 0, **fields}
                request = urllib.request.Request(f"http://127.0.0.1:{node.port}/v1/completions", json.dumps(body).encode(),
                                                 {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=600) as reply:
                    return json.load(reply)

            def score(text):
                found = ask(text, max_tokens=0, echo=True, logprobs=0)["choices"][0]["logprobs"]["token_logprobs"]
                if len(found) != len(text):
                    raise RuntimeError(f"{len(found)} tokens of {len(text)} were scored")

            def generate(text):
                made = ask(text[:QUESTION_TOKENS], max_tokens=ANSWER_TOKENS, ignore_eos=True)["usage"]["completion_tokens"]
                if made != ANSWER_TOKENS:
                    raise RuntimeError(f"{made} tokens came instead of {ANSWER_TOKENS}")

            def timed(work):
                begin = time.monotonic()
                work()
                return time.monotonic() - begin

            score(self.trainers.texts.take(1, 100)[0])  # loads the model
            left = {"scored": list(parts), "generated": list(parts)}
            a, b = pairs(self.rounds, lambda: timed(lambda: list(pool.map(score, left["scored"].pop(0)))),
                         lambda: timed(lambda: [generate(text) for text in left["generated"].pop(0)]))
        ratio = median([x / y for x, y in zip(a, b)])
        return {"figure": f"scoring {share * self.rounds} held-out answers under one model, through the HTTP API",
                "against": "generating as many tokens, one answer at a time", "target": "<= 0.7", "result": f"{ratio:.2f}",
                "reached": ratio <= 0.7,
                "detail": f"{sum(a):.0f} against {sum(b):.0f} s; questions of {QUESTION_TOKENS} tokens, answers of {ANSWER_TOKENS}, "
                          f"{SCORED_AT_ONCE} scored at once"}

    def gate(self):
        """Once: minutes, and no peer. What is gated is what `loam tour` teaches and holds out."""
        with Home(self.trainers.programs["loam"], self.trainers.model) as home, tempfile.TemporaryDirectory() as folder:
            environment = outside_environment() | {"TMPDIR": folder}

            def loam(where, *arguments):
                command = [home.loam, "--home", str(where), *map(str, arguments)]
                return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout

            said = {line["step"]: line
                    for line in map(json.loads, loam(home.path, "tour", "--model", "bench", "--keep", "--json").splitlines())}
            toured = Path(said["end"]["folder"])
            shutil.rmtree(toured / "a" / "cache" / "scores")  # of the base, by the tour's own gate
            begin = time.monotonic()
            report = loam(toured / "a", "gate", "run", said["train"]["job"], "--newer", toured / "newer-data-set")
            seconds = time.monotonic() - begin
        [parts] = [line.removeprefix("took: ") for line in report.splitlines() if line.startswith("took: ")]
        return {"figure": f"a whole gate, profile own, {said['gate']['held_out']} held-out answers, by `loam gate run`", "against": "-",
                "target": "-", "result": f"{seconds / 60:.1f} min", "reached": None, "detail": parts, "once": True}

    def swap(self):
        return swap(self.trainers.programs["loam"], self.trainers.model)


FIGURES = {"lora": Bench.lora, "lora-answers": Bench.lora_answers, "scoring": Bench.scoring, "gate": Bench.gate,
           "swap": Bench.swap}
ALONE = {"gate", "swap"}  # of them, what needs no trainers beside `loam`


def measure(programs, model, sentences, rounds, wanted):
    with Trainers(programs, model, sentences) as trainers:
        say(f"  {len(trainers.texts.tokens)} tokens of real sentences")
        return measured(Bench(trainers, rounds), FIGURES, wanted)


def measure_alone(programs, model, wanted):
    return measured(Bench(SimpleNamespace(programs=programs, model=model), rounds=1), FIGURES, wanted)
