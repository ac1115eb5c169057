#!/usr/bin/env python3
"""A second implementation of docs/formats/gumbel-v1.md, in plain Python, for its vectors.

    gumbel_v1_check.py FILE           compares the vectors in FILE with its own
    gumbel_v1_check.py --write FILE   writes them
"""
import hashlib
import json
import math
import struct
import sys

MASK = 0xFFFFFFFF
DEFAULTS = {"temperature": 1000000, "top_k": 0, "top_p": 1000000, "min_p": 0,
            "repetition_penalty": 1000000, "presence_penalty": 0, "frequency_penalty": 0,
            "logit_bias": []}


def chacha20_block(key, counter, nonce):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key)
                 + (counter,) + struct.unpack("<3I", nonce))
    x = list(start)

    def quarter(a, b, c, d):
        for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & MASK
            mixed = x[third] ^ x[first]
            x[third] = (mixed << bits | mixed >> (32 - bits)) & MASK

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(x, start)))


def uniform(seed, position, token, blocks={}):
    key = (seed, position, token // 8)
    if key not in blocks:
        blocks[key] = chacha20_block(seed, token // 8, struct.pack("<Q", position) + bytes(4))
    word = struct.unpack_from("<Q", blocks[key], 8 * (token % 8))[0]
    return max(word >> 11, 1)


def gumbel(seed, position, token):
    return -math.log(-math.log(uniform(seed, position, token) * 2.0 ** -53))


def cbor(value):
    def head(major, n):
        for size, code, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"),
                                 (1 << 32, 26, ">I"), (1 << 64, 27, ">Q")):
            if n < size:
                if code is None:
                    return bytes([major << 5 | n])
                return bytes([major << 5 | code]) + struct.pack(form, n)

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    members = sorted((cbor(name), cbor(member)) for name, member in value.items())
    return head(5, len(members)) + b"".join(name + member for name, member in members)


def derive_seed(mode, entropy, model, params, choice):
    return hashlib.sha256(b"loam.gumbel.v1" + bytes([mode]) + entropy + model
                          + hashlib.sha256(cbor(params)).digest()
                          + struct.pack("<I", choice)).digest()


def entropy_of(case):
    if case["mode"] == 0:
        return bytes.fromhex(case["nonce"])
    return hashlib.sha256(str(case["integer"]).encode()).digest()


def binary32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def make_logits(recipe, step):
    """Logits from whole numbers, so that no rounding is in question; equal ones occur."""
    logits = []
    for token in range(recipe["vocabulary"]):
        x = (token * 2654435761 + step * 40503 + recipe["salt"]) & MASK
        x = ((x ^ x >> 15) * 2246822519) & MASK
        x ^= x >> 13
        logits.append((x % 1601 - 800) / 64 * recipe["scale"])
    for token in recipe["removed"]:
        logits[token] = -math.inf
    return logits


def clear(a, b, what):
    """Vectors must not hang on the last bits of a logarithm or an exponential."""
    assert a == b or abs(a - b) > 1e-9 * max(1, abs(a)), f"{what}: {a} and {b} are too near"


def choose(logits, params, seed, prompt, output):
    micro = {name: params[name] / 1e6 for name in params if name not in ("top_k", "logit_bias")}
    bias = {token: value / 1e6 for token, value in params["logit_bias"]}
    changed = []
    for token, logit in enumerate(logits):
        x = logit + bias.get(token, 0)
        seen = output.count(token)
        if seen or token in prompt:
            x = x / micro["repetition_penalty"] if x > 0 else x * micro["repetition_penalty"]
        if seen:
            x = x - micro["presence_penalty"]
            x = x - seen * micro["frequency_penalty"]
        changed.append(binary32(x))
    order = sorted((token for token in range(len(changed)) if changed[token] > -math.inf),
                   key=lambda token: (-changed[token], token))
    best = changed[order[0]]
    if params["temperature"] == 0:
        return order[0]
    if params["top_k"] > 0:
        order = order[:params["top_k"]]
    if params["top_p"] < 1000000:
        weights = [math.exp(changed[token] - best) for token in order]
        wanted = micro["top_p"] * math.fsum(weights)
        kept = 0
        while kept < len(order):
            kept += 1
            clear(math.fsum(weights[:kept]), wanted, "top-p")
            if math.fsum(weights[:kept]) >= wanted:
                break
        order = order[:kept]
    if params["min_p"] > 0:
        floor = best + math.log(micro["min_p"])
        for token in order:
            clear(changed[token], floor, "min-p")
        order = [token for token in order if changed[token] >= floor] or order[:1]
    values = {token: changed[token] + micro["temperature"] * gumbel(seed, len(output), token)
              for token in order}
    ranked = sorted(order, key=lambda token: (-values[token], token))
    if len(ranked) > 1:
        clear(values[ranked[0]], values[ranked[1]], "choice")
    return ranked[0]


def seed_vectors():
    model = hashlib.sha256(b"a model").hexdigest()
    nonce = hashlib.sha256(b"a nonce").hexdigest()
    usual = DEFAULTS | {"temperature": 800000, "top_k": 40, "top_p": 950000, "min_p": 50000}
    biased = DEFAULTS | {"logit_bias": [[0, -100000000], [23, 1], [24, -1], [256, 65536], [70000, 5000000000 // 8]],
                         "presence_penalty": -2000000, "frequency_penalty": 4294967, "repetition_penalty": 1100000}
    for params, source in ((DEFAULTS, {"mode": 0, "nonce": "00" * 32, "choice": 0}),
                           (usual, {"mode": 0, "nonce": nonce, "choice": 1}),
                           (usual, {"mode": 1, "integer": 0, "choice": 0}),
                           (usual, {"mode": 1, "integer": 42, "choice": 0}),
                           (usual, {"mode": 1, "integer": 42, "choice": 1}),
                           (biased, {"mode": 1, "integer": -9223372036854775808, "choice": 4294967295})):
        case = source | {"model": model, "params": params}
        case["params_cbor"] = cbor(params).hex()
        case["seed"] = derive_seed(case["mode"], entropy_of(case), bytes.fromhex(model), params,
                                   case["choice"]).hex()
        yield case


def noise_vectors():
    for seed in (bytes(32), bytes(range(32)), hashlib.sha256(b"noise").digest()):
        for position, token in ((0, 0), (0, 1), (0, 7), (0, 8), (1, 0), (3, 49151), (255, 262143),
                                (4294967296, 63), (18446744073709551615, 2147483647)):
            yield {"seed": seed.hex(), "position": str(position), "token": token,
                   "k": uniform(seed, position, token), "g": gumbel(seed, position, token)}


def choice_vectors():
    prompt = [5, 17, 17, 402, 64]
    for name, change, shape in (
            ("greedy", {"temperature": 0}, {}),
            ("greedy with equal logits", {"temperature": 0}, {"vocabulary": 70, "scale": 0}),
            ("plain", {}, {}),
            ("equal logits", {}, {"scale": 0}),
            ("hot", {"temperature": 2000000}, {}),
            ("cold", {"temperature": 1}, {}),
            ("top-k", {"temperature": 700000, "top_k": 5}, {}),
            ("top-k of one", {"temperature": 1500000, "top_k": 1}, {}),
            ("top-k beyond the vocabulary", {"top_k": 5000}, {}),
            ("top-p", {"temperature": 1300000, "top_p": 900000}, {}),
            ("top-p of nothing", {"top_p": 0}, {}),
            ("top-p of flat logits", {"top_p": 500000}, {"scale": 0.015625}),
            ("min-p", {"temperature": 1500000, "min_p": 51000}, {}),
            ("min-p of one", {"temperature": 1500000, "min_p": 1000000}, {"scale": 0.25}),
            ("all filters", {"temperature": 800000, "top_k": 40, "top_p": 950000, "min_p": 51000}, {}),
            ("penalties", {"temperature": 900000, "repetition_penalty": 1300000,
                           "presence_penalty": 500000, "frequency_penalty": 250000}, {"still": True}),
            ("greedy with penalties", {"temperature": 0, "repetition_penalty": 1100000,
                                       "frequency_penalty": 400000}, {"still": True}),
            ("rewarded repetition", {"temperature": 0, "presence_penalty": -100000,
                                     "repetition_penalty": 900000}, {"still": True}),
            ("bias", {"logit_bias": [[3, 12345678], [17, -100000000], [999, 11500000]]}, {}),
            ("removed tokens", {"temperature": 1000000, "top_k": 8},
             {"removed": [0, 1, 2, 63, 64, 65, 500, 999]}),
            ("a small vocabulary", {"temperature": 1000000}, {"vocabulary": 3, "scale": 0.125}),
            ("a large vocabulary", {"temperature": 1000000}, {"vocabulary": 4099, "scale": 0.125})):
        params = DEFAULTS | change
        recipe = {"vocabulary": 1000, "salt": len(name) * 7919, "scale": 1, "removed": []} | shape
        still = recipe.pop("still", False)
        case = {"name": name, "params": params, "prompt": prompt if recipe["vocabulary"] >= 1000 else [1],
                "logits": recipe, "logits_change": not still, "seed": hashlib.sha256(name.encode()).hexdigest()}
        output = []
        for step in range(12):
            output.append(choose(make_logits(recipe, 0 if still else step), params,
                                 bytes.fromhex(case["seed"]), case["prompt"], output))
        case["tokens"] = output
        yield case


def main(arguments):
    ours = {"seeds": list(seed_vectors()), "noise": list(noise_vectors()),
            "choices": list(choice_vectors())}
    # The block of RFC 8439 section 2.3.2, so that the vectors do not rest on this file alone.
    block = chacha20_block(bytes(range(32)), 1, bytes.fromhex("000000090000004a00000000"))
    assert block.hex().startswith("10f1e7e4d13b5915500fdd1fa32071c4")
    if arguments[:1] == ["--write"]:
        with open(arguments[1], "w", encoding="utf-8") as file:
            json.dump(ours, file, indent=1)
            file.write("\n")
        return 0
    with open(arguments[0], encoding="utf-8") as file:
        theirs = json.load(file)
    wrong = 0
    for kind, cases in ours.items():
        for mine, given in zip(cases, theirs[kind], strict=True):
            near = abs(mine.get("g", 0) - given.get("g", 0)) < 1e-12
            if {**mine, "g": 0} != {**given, "g": 0} or not near:
                print(f"{kind}: computed {mine}, the file has {given}")
                wrong += 1
    print(f"{sum(map(len, ours.values())) - wrong} vectors agree, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
