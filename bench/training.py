"""What bench/run train and bench/run peft share: real texts as tokens, and the two trainers as processes."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from serve import say

PEER = Path(__file__).with_name("torch_peer.py")
TEXT_MAX = 800_000  # characters, of which at least a sixth are tokens
RECIPE = {"stage": "sft", "lora_rank": 8, "lora_alpha": 16, "lora_target": "all", "cutoff_len": 256,
          "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "learning_rate": 2e-4, "max_steps": 1000,
          "warmup_ratio": 0.03, "weight_decay": 0, "max_grad_norm": 1, "seed": 42}


def write_recipe(path, **settings):
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in {**RECIPE, **settings}.items()))
    return path


def run(*command, text=None):
    return subprocess.run(list(map(str, command)), check=True, input=text, stdout=subprocess.PIPE, text=True).stdout


class Texts:
    """Real sentences of the pinned sources as tokens of the model, handed out piece by piece."""

    def __init__(self, programs, model, sentences):
        self.tokens = list(map(int, run(programs["oracle"], "--tokenize", model, text=" ".join(sentences)[:TEXT_MAX]).split()))

    def take(self, count, length):
        """The next texts; none comes twice."""
        taken, self.tokens = self.tokens[:count * length], self.tokens[count * length:]
        if len(taken) < count * length:
            raise RuntimeError("too few sentences to make texts of")
        return [taken[at:at + length] for at in range(0, len(taken), length)]


def write_texts(path, texts, prompt):
    path.write_text("".join(" ".join(map(str, [prompt, *text])) + "\n" for text in texts))
    return path


class Trainer:
    """One of the two, waiting for commands. Use as a context manager."""

    def __init__(self, *command):
        self.command = list(map(str, command))

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, *command):
        print(*command, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.command[0]} ended")
        return json.loads(answer)

    def memory_most(self):
        """Bytes that it had in memory at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1]) * 1024


class Trainers:
    """Both, on the same weights. Everything is made in a folder that is thrown away."""

    def __init__(self, programs, model, sentences):
        self.programs, self.model = programs, model
        self.texts = Texts(programs, model, sentences)

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory(prefix="loam-bench-")
        self.folder = Path(self.place.name)
        say("  writing the weights as binary32")
        self.wide = self.folder / "wide.gguf"
        run(self.programs["train"], "wide", self.model, self.wide)
        return self

    def __exit__(self, *_):
        self.place.cleanup()

    def ours(self, recipe, texts, threads):
        return Trainer(self.programs["train"], "steps", self.model, recipe, texts, threads)

    def theirs(self, start, recipe, texts, threads):
        """Begins with the adapter that lies in the folder `start`."""
        return Trainer(self.programs["peer-python"], PEER, "steps", self.wide, start, recipe, texts, threads)

    def our_losses(self, adapter, texts):
        return lines_of(run(self.programs["train"], "losses", self.model, adapter, texts))

    def their_losses(self, adapter, texts):
        return lines_of(run(self.programs["peer-python"], PEER, "losses", self.wide, adapter, texts))


def lines_of(printed):
    """A list of numbers for each line."""
    return [list(map(float, line.split())) for line in printed.splitlines()]
