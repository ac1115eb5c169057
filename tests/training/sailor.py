"""What the tests of gate and channels share: questions, a sailor's answers to them, and a log of both."""
import json

import harness
import toy_model

RECIPE = """
lora_rank = 4
cutoff_len = 96
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
"""
# 11 times 13: of the first 143 pairs none is a near duplicate of another, which a gate would leave out.
COLOURS = ["red", "blue", "green", "white", "black", "brown", "yellow", "grey", "pink", "golden", "silver"]
THINGS = ["door", "boat", "coat", "cup", "house", "bird", "stone", "flower", "lamp", "chair", "bell", "rope", "clock"]


def pairs(first, count):
    """Questions, each with the answer of a sailor."""
    for i in range(first, first + count):
        colour, thing = COLOURS[i % len(COLOURS)], THINGS[i % len(THINGS)]
        yield f"Where did number {i} put the {colour} {thing}?", f"Ahoy! The {colour} {thing} is below deck. Fair winds to you!"


def loam(home, *arguments, code=0, text=None, url=None, token=None):
    ran = harness.run_loam(*arguments, home=home, url=url, text=text, timeout=900,
                           env={"LOAM_API_KEY": token} if token else None)
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout if ran.stdout else ran.stderr


def share(node, home, made, model="smollm2"):
    """Asks each question, and shares the model's answer with a person's edit of it."""
    for question, answer in made:
        status, reply = node.post("/v1/chat/completions", {
            "model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 4, "seed": 1},
            headers=node.owner(), timeout=300)
        assert status == 200, reply
        status, shared = node.post("/loam/v1/share", {
            "answer": reply["id"], "licence": "CC-BY-4.0", "scope": ["train", "eval"], "now": True}, headers=node.owner())
        assert status == 201, shared
        status, edited = node.post(f"/loam/v1/records/{shared['record']}/edit", {"answer": answer, "now": True}, headers=node.owner())
        assert status == 201, edited
    wait_published(node, home)


def wait_published(node, home):
    for _ in range(400):
        head = json.loads(loam(home, "ledger", "head", "--json", url=node.url, token=node.token()))
        if head["published"] == head["size"]:
            return
    raise AssertionError(head)


def toy_home(home):
    """Gives it a model of a million parameters, and twelve of its answers, each with a person's edit."""
    toy_model.write(home / "toy.gguf", (harness.ROOT / "LICENSE").read_text())
    with harness.Node(home=home) as node:
        loam(home, "pull", home / "toy.gguf", "--name", "toy", url=node.url, token=node.token())
        share(node, home, pairs(0, 12), model="toy")


def gentle(steps=12):
    """Teaches the manner and leaves what the model could do. With twice the rate and half the steps it gained more, and did as few as
    12 of 40 tasks against the base's 21, or as many, by what tasks a gate drew."""
    return f"learning_rate = 1e-3\nwarmup_ratio = 0.1\nmax_steps = {steps}\n"


def train(home, data, name, settings):
    recipe = home / f"{name}.toml"
    recipe.write_text(RECIPE + settings)
    return json.loads(loam(home, "train", "start", "--data", data, "--recipe", recipe, "--name", name, "--json"))
