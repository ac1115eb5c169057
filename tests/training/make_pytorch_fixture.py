#!/usr/bin/env python3
"""Writes the curve that src/tuning/pytorch_curve_test.cc holds the trainer to: a small model, trained by PyTorch and PEFT.

    PYTHON tests/training/make_pytorch_fixture.py src/tuning/testdata/pytorch_curve.json

PYTHON has bench/requirements.txt; `bench/run peft --only fixture` installs it and says whether the curve is still the same.
Nothing large is kept: the weights and the first adapter follow from formulas that are written here once more
(src/train/testing/toy_model.h, src/train/adapter.h), as the order of the examples is in bench/torch_peer.py.
"""

import json
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "bench"))
sys.dont_write_bytecode = True

import numpy  # noqa: E402
import peft  # noqa: E402
import torch  # noqa: E402
import torch_peer  # noqa: E402
import transformers  # noqa: E402

LAYERS, WIDTH, FFN, VOCABULARY, HEADS, KV_HEADS, HEAD_WIDTH = 2, 64, 160, 256, 4, 2, 16
# In the order of train::kParts: where transformers has it, how many numbers go in, and how many come out.
PARTS = [("self_attn.q_proj", WIDTH, HEADS * HEAD_WIDTH), ("self_attn.k_proj", WIDTH, KV_HEADS * HEAD_WIDTH),
         ("self_attn.v_proj", WIDTH, KV_HEADS * HEAD_WIDTH), ("self_attn.o_proj", HEADS * HEAD_WIDTH, WIDTH),
         ("mlp.gate_proj", WIDTH, FFN), ("mlp.up_proj", WIDTH, FFN), ("mlp.down_proj", FFN, WIDTH)]
RECIPE = """\
lora_rank = 4
lora_alpha = 8
cutoff_len = 32
per_device_train_batch_size = 4
gradient_accumulation_steps = 2
learning_rate = 0.005
warmup_ratio = 0.1
max_steps = 30
weight_decay = 0.01
max_grad_norm = 1
seed = 7
"""
EXAMPLES = 18  # five batches, so that the last step of a pass has one
U64 = (1 << 64) - 1


def even(drawn):
    """Between -1 and 1, from the upper bits of a 64-bit number; exact."""
    return numpy.float32(drawn >> 40) * numpy.float32(2**-23) - numpy.float32(1)


def numbers(count, seed, scale=1.0):
    """train::testing::numbers()."""
    state, out = (seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) & U64, []
    for _ in range(count):
        state ^= state << 13 & U64
        state ^= state >> 7
        state ^= state << 17 & U64
        out.append(numpy.float32(scale) * even(state))
    return torch.from_numpy(numpy.array(out))


def split_mix(seed):
    """What train::make_adapter() draws."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & U64
        x = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & U64
        x = (x ^ x >> 27) * 0x94D049BB133111EB & U64
        yield even(x ^ x >> 31)


def halves(weight, heads):
    """Rows of q or k as transformers has them; the formulas' order is that of a GGUF file, adjacent pairs."""
    return weight.reshape(heads, HEAD_WIDTH // 2, 2, -1).transpose(1, 2).reshape(weight.shape)


def state_of_toy():
    """train::testing::toy_weights() of this shape, head tied, no bias."""
    seeds = iter(range(100, 1000))
    embedding = numbers(VOCABULARY * WIDTH, next(seeds)).reshape(VOCABULARY, WIDTH)
    state = {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding}
    for layer in range(LAYERS):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            state[f"model.layers.{layer}.{norm}.weight"] = 1 + numbers(WIDTH, next(seeds), 0.3)
        for name, width, size in PARTS:
            weight = numbers(width * size, next(seeds), 0.4).reshape(size, width)
            if name.endswith(("q_proj", "k_proj")):
                weight = halves(weight, size // HEAD_WIDTH)
            state[f"model.layers.{layer}.{name}.weight"] = weight
    state["model.norm.weight"] = 1 + numbers(WIDTH, next(seeds), 0.3)
    return state


def toy():
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=FFN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS, head_dim=HEAD_WIDTH, max_position_embeddings=64, rms_norm_eps=1e-5,
        tie_word_embeddings=True, use_cache=False)
    model = transformers.LlamaForCausalLM(config).to(torch.float32)
    model.load_state_dict(state_of_toy())
    return model


def adapted(model, recipe):
    rank = recipe["lora_rank"]
    model = peft.get_peft_model(model, peft.LoraConfig(
        r=rank, lora_alpha=recipe["lora_alpha"], target_modules=[name.partition(".")[2] for name, _, _ in PARTS]))
    chance = split_mix(recipe["seed"])
    for layer in range(LAYERS):
        for name, width, _ in PARTS:
            bound = numpy.float32(1) / numpy.sqrt(numpy.float32(width))
            down = numpy.array([bound * next(chance) for _ in range(rank * width)]).reshape(rank, width)
            part = model.get_submodule(f"base_model.model.model.layers.{layer}.{name}")
            part.lora_A["default"].weight.data.copy_(torch.from_numpy(down))
    return model


def examples():
    """Each token follows from the one before it, so that there is something to learn; lengths and prompts differ."""
    out = []
    for i in range(EXAMPLES):
        tokens = [i * 29 % VOCABULARY]
        while len(tokens) < 8 + i * 5 % 17:
            tokens.append((3 * tokens[-1] + 1) % VOCABULARY)
        out.append((1 + i % 3, tokens))
    return out


def main():
    torch.set_num_threads(1)
    recipe, texts = tomllib.loads(RECIPE), examples()
    run = torch_peer.Run(adapted(toy(), recipe), recipe, texts)
    steps = [run.step() for _ in range(recipe["max_steps"])]
    fixture = {
        "made_by": f"PyTorch {torch.__version__.partition('+')[0]}, transformers {transformers.__version__}, PEFT {peft.__version__}",
        "script": "tests/training/make_pytorch_fixture.py",
        "recipe": RECIPE,
        "examples": [{"prompt_tokens": prompt, "tokens": tokens} for prompt, tokens in texts],
        "losses": [round(step["loss"], 7) for step in steps],
        "gradient_norms": [round(step["norm"], 6) for step in steps],
        "rates": [round(step["rate"], 12) for step in steps]}
    lines = (f'{json.dumps(key)}: {json.dumps(value)}' for key, value in fixture.items())
    Path(sys.argv[1]).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
