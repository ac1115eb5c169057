"""The figures of `bench/run peft`. Each returns what docs/bench.md says of it.

Not one is a time: they say how far the trainer, PEFT and llama.cpp are from one another, in nat of a token's loss.
"""

import json
import subprocess
from pathlib import Path

from processes import Home
from serve import THREADS, measured, say
from training import Trainers, lines_of, run, write_recipe, write_texts

ROOT = Path(__file__).resolve().parent.parent
RECORDS = 300
JUDGED, JUDGED_LENGTH = 8, 128
SAME = 1e-3  # in nat: what two programs may differ by that round in other places
CURVE_STEPS = 30
FIXTURE = ROOT / "src" / "tuning" / "testdata" / "pytorch_curve.json"
FIXTURE_SCRIPT = ROOT / "tests" / "training" / "make_pytorch_fixture.py"


def furthest(a, b):
    """The largest difference of two numbers at the same place of two lists of lists."""
    return max(abs(x - y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


def mean(lists):
    return sum(map(sum, lists)) / sum(map(len, lists))


def row(figure, against, difference, detail, allowed=SAME):
    return {"figure": figure, "against": against, "target": f"<= {allowed:g} nat", "result": f"{difference:.1e} nat",
            "reached": difference <= allowed, "detail": detail}


class Bench:
    def __init__(self, trainers, sentences):
        self.trainers, self.programs, self.folder = trainers, trainers.programs, trainers.folder
        self.sentences = self.folder / "sentences"
        self.sentences.write_text("\n".join(sentences) + "\n")
        self.judged = write_texts(self.folder / "judged", trainers.texts.take(JUDGED, JUDGED_LENGTH), 1)

    def llama_losses(self, adapter):
        """libllama's own, on the same weights, with keys and values as binary32."""
        lines = "".join(line.partition(" ")[2] + "\n" for line in self.judged.read_text().splitlines())
        said = run(self.programs["oracle"], "--wide", *(["--lora", adapter] if adapter else []), self.trainers.wide, text=lines)
        return [[-score for score in line] for line in lines_of(said)]

    def trained(self, home):
        """The folder of an adapter that `loam train` made of a log's data set."""
        said = json.loads(run(self.programs["ledger"], "make", home.path, RECORDS, self.sentences))
        say(f"  {said['records']} records")

        def loam(*arguments):
            return run(self.programs["loam"], "--home", home.path, *arguments)

        loam("data", "build", "--out", self.folder / "set", "--no-parquet", "--json")
        recipe = write_recipe(self.folder / "trained.toml", cutoff_len=512, per_device_train_batch_size=2, max_steps=12,
                              learning_rate=2e-3)
        job = json.loads(loam("train", "start", "--data", self.folder / "set", "--recipe", recipe, "--name", "proof", "--json"))
        if job["status"] != "succeeded":
            raise RuntimeError(f"the training {job['status']}")
        return Path(job["adapter"])

    def folder_of_loam(self):
        with Home(self.programs["loam"], self.trainers.model) as home:
            adapter = self.trained(home)
            ours, theirs = (ask(adapter, self.judged) for ask in (self.trainers.our_losses, self.trainers.their_losses))
            llama = self.llama_losses(adapter / "adapter.gguf")
        before = self.trainers.our_losses("-", self.judged)
        moved = f"{JUDGED * (JUDGED_LENGTH - 1)} tokens; the adapter moves a loss by up to {furthest(before, ours):.2f}, the mean " \
                f"from {mean(before):.3f} to {mean(ours):.3f}"
        return [row("an adapter's folder that `loam train` wrote, loaded by PEFT", "the trainer's own losses",
                    furthest(ours, theirs), f"PEFT took every tensor; {moved}"),
                row("its adapter.gguf, loaded by llama.cpp", "PEFT's losses", furthest(llama, theirs),
                    "the same tokens and weights, keys and values as binary32")]

    def curve(self):
        """Both train from the same first adapter; then each side reads what PEFT saved."""
        recipe = write_recipe(self.folder / "curve.toml", cutoff_len=64, max_steps=CURVE_STEPS, learning_rate=1e-3)
        texts = write_texts(self.folder / "learned", self.trainers.texts.take(40, 64), 32)
        start, saved = self.folder / "start", self.folder / "saved"
        with self.trainers.ours(recipe, texts, THREADS) as ours:
            ours.ask("save", start)
            with self.trainers.theirs(start, recipe, texts, THREADS) as theirs:
                steps = [(ours.ask("step"), theirs.ask("step")) for _ in range(CURVE_STEPS)]
                theirs.ask("save", saved)
        losses = [[step[side]["loss"] for step in steps] for side in (0, 1)]
        read = [ask(saved, self.judged) for ask in (self.trainers.our_losses, self.trainers.their_losses)]
        return [row(f"loss of each of {CURVE_STEPS} steps, LoRA r=8, SmolLM2-135M, from the same first adapter",
                    "PyTorch + PEFT", furthest([losses[0]], [losses[1]]),
                    f"from {losses[0][0]:.4f} to {losses[0][-1]:.4f}; gradients' lengths by up to "
                    f"{max(abs(a['norm'] / b['norm'] - 1) for a, b in steps):.1e} of them", 5e-3),
                row("the folder that PEFT saved after them, read by Loam", "PEFT's losses", furthest(*read),
                    f"{JUDGED * (JUDGED_LENGTH - 1)} tokens")]

    def fixture(self):
        """Whether the curve that the unit tests hold the trainer to is still PyTorch's."""
        made = self.folder / "curve.json"
        subprocess.run([self.programs["peer-python"], FIXTURE_SCRIPT, made], check=True)
        kept, again = (json.loads(path.read_text()) for path in (FIXTURE, made))
        return row("the curve that ./check holds the trainer to (src/tuning/testdata)", "PyTorch + PEFT, once more",
                   furthest([kept["losses"]], [again["losses"]]), f"{len(kept['losses'])} steps of a small model; {kept['made_by']}",
                   1e-4)


FIGURES = {"folder": Bench.folder_of_loam, "curve": Bench.curve, "fixture": Bench.fixture}


def measure(programs, model, sentences, wanted):
    with Trainers(programs, model, sentences) as trainers:
        return measured(Bench(trainers, sentences), FIGURES, wanted)
