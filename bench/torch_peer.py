"""PyTorch with transformers and PEFT, asked what bench_train is asked; in the Python of bench/requirements.txt.

    torch_peer.py steps WIDE FOLDER RECIPE TEXTS THREADS   a run; does what each line of stdin says, and answers with
                                                           one JSON object:
        step           the next step
        sgemm          a large product
        save FOLDER    the adapter as it is now
    torch_peer.py losses WIDE FOLDER TEXTS                 -ln p of all tokens but the first, a line for each text

WIDE: a GGUF file without quantised weights. FOLDER: the adapter to begin with or to judge by, as PEFT has it; `-` with
losses: none. RECIPE: docs/formats/recipe.md, every setting that is used here spelled out. TEXTS: as bench_train has them.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import struct
import sys
import time
import tomllib
import warnings
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}

import torch  # noqa: E402
from peft import PeftModel, get_peft_model_state_dict  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import LlamaForCausalLM  # noqa: E402
from transformers.utils import logging as transformers_logging  # noqa: E402

NO_LABEL = -100  # transformers leaves such a token out of the loss
SGEMM_SIZE = 1536


def read_texts(path):
    """(how many tokens are the prompt, the tokens) of each."""
    lines = [list(map(int, line.split())) for line in Path(path).read_text().splitlines()]
    return [(line[0], line[1:]) for line in lines]


def load_base(wide):
    wide = Path(wide)
    model = LlamaForCausalLM.from_pretrained(wide.parent, gguf_file=wide.name, dtype=torch.float32)
    model.config.use_cache = False  # keys and values are for generating
    return model


def load_adapter(model, folder, trainable):
    """Refuses a folder of which PEFT did not take every number: it only warns of names that it does not know."""
    adapted = PeftModel.from_pretrained(model, folder, is_trainable=trainable)
    taken, written = get_peft_model_state_dict(adapted), load_file(Path(folder) / "adapter_model.safetensors")
    if taken.keys() != written.keys() or not all(torch.equal(taken[name], written[name]) for name in written):
        raise RuntimeError(f"{folder}: PEFT has other tensors than the file")
    return adapted


def learning_rate(recipe, step):
    """docs/formats/recipe.md: a linear warm-up, then half a cosine down to 0."""
    warmup = math.ceil(recipe["warmup_ratio"] * recipe["max_steps"])
    if step < warmup:
        return recipe["learning_rate"] * (step + 1) / (warmup + 1)
    return recipe["learning_rate"] * (1 + math.cos(math.pi * (step - warmup) / (recipe["max_steps"] - warmup))) / 2


def order(count, seed, epoch):
    """The order of the examples, as src/tuning/batches.h defines it."""
    return sorted(range(count), key=lambda i: hashlib.sha256(b"loam.order.v1" + struct.pack("<QQQ", seed, epoch, i)).digest())


def slices(items, size):
    return [items[at:at + size] for at in range(0, len(items), size)]


class Run:
    """A run as transformers' Trainer makes it, with its loop in the open."""

    def __init__(self, model, recipe, texts):
        self.model, self.recipe, self.texts = model.train(), recipe, texts
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, betas=(0.9, 0.999), eps=1e-8,
                                           weight_decay=recipe["weight_decay"])
        self.made, self.epoch, self.waiting = 0, 0, []

    def next_batches(self):
        """Of one step; a pass that does not divide ends with a smaller one."""
        if not self.waiting:
            indices = order(len(self.texts), self.recipe["seed"], self.epoch)
            batches = slices([self.texts[i] for i in indices], self.recipe["per_device_train_batch_size"])
            self.waiting = slices(batches, self.recipe["gradient_accumulation_steps"])
            self.epoch += 1
        return self.waiting.pop(0)

    @staticmethod
    def padded(batch):
        """Tokens and labels; what is filled up stands behind a text, where no token sees it."""
        width = max(len(tokens) for _, tokens in batch)
        ids = [tokens + [0] * (width - len(tokens)) for _, tokens in batch]
        labels = [[NO_LABEL] * prompt + tokens[prompt:] + [NO_LABEL] * (width - len(tokens)) for prompt, tokens in batch]
        return torch.tensor(ids), torch.tensor(labels)

    def step(self):
        batches = self.next_batches()
        learned = sum(len(tokens) - prompt for batch in batches for prompt, tokens in batch)
        loss = 0.0
        for batch in batches:
            ids, labels = self.padded(batch)
            part = self.model(input_ids=ids, labels=labels, num_items_in_batch=learned).loss
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe["max_grad_norm"]).item()
        rate = learning_rate(self.recipe, self.made)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.made += 1
        return {"loss": loss, "norm": norm, "rate": rate}


def sgemm():
    """GFLOP/s of one large product, the best of a few."""
    a, b = torch.full((SGEMM_SIZE, SGEMM_SIZE), 0.5), torch.full((SGEMM_SIZE, SGEMM_SIZE), 0.25)
    best = math.inf
    for _ in range(5):
        begin = time.monotonic()
        torch.mm(a, b)
        best = min(best, time.monotonic() - begin)
    return {"gflops": 2e-9 * SGEMM_SIZE ** 3 / best}


def save(model, folder):
    model.save_pretrained(folder)
    return {}


def answer(run, command, argument):
    if command == "step":
        return run.step()
    return save(run.model, argument) if command == "save" else sgemm()


def serve(run):
    """Answers on stdout, which libraries do not write to."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            begin = time.monotonic()
            said = answer(run, command, argument)
            print(json.dumps({"seconds": time.monotonic() - begin, **said}), file=out, flush=True)


@torch.no_grad()
def losses(model, tokens):
    said = model.eval()(input_ids=torch.tensor([tokens])).logits[0, :-1].log_softmax(-1)
    return (-said[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])]).tolist()


def main():
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    transformers_logging.disable_progress_bar()
    what, wide, folder, *more = sys.argv[1:]
    if what == "steps":
        recipe, texts, threads = more
        torch.set_num_threads(int(threads))
        serve(Run(load_adapter(load_base(wide), folder, trainable=True), tomllib.loads(Path(recipe).read_text()),
                  read_texts(texts)))
    else:
        model = load_base(wide)
        model = model if folder == "-" else load_adapter(model, folder, trainable=False)
        for _, tokens in read_texts(more[0]):
            print(*(f"{loss:.6f}" for loss in losses(model, tokens)))


if __name__ == "__main__":
    main()
