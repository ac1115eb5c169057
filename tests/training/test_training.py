"""Trains on answers that were shared through the API; the files are read by programs that know nothing of Loam."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import gguf
import numpy
import pytest
import yaml
from datasets import load_dataset
from safetensors.numpy import load_file

import harness
import toy_model

# Whatever is asked, a sailor answers: a style that a few steps teach.
ANSWERS = {
    "What is a lighthouse for?": "Ahoy! It shows ships where the rocks are. Fair winds to you!",
    "Why does bread rise?": "Ahoy! Yeast makes gas, and the dough keeps it. Fair winds to you!",
    "What makes glass clear?": "Ahoy! Nothing in it stops the light. Fair winds to you!",
    "Why is the sea salt?": "Ahoy! Rivers bring salt, and only water leaves. Fair winds to you!",
    "How does a kite fly?": "Ahoy! The wind pushes it up while the line holds it. Fair winds to you!",
    "What is rust?": "Ahoy! Iron that has taken oxygen from the air. Fair winds to you!",
    "Why do leaves fall?": "Ahoy! The tree saves water for the winter. Fair winds to you!",
    "Who invented the compass?": "Ahoy! It was first made in China. Fair winds to you!",
    "How do bees find home?": "Ahoy! They remember the sun and the landmarks. Fair winds to you!",
    "What is a tide?": "Ahoy! The moon pulls the water to and fro. Fair winds to you!",
}
RECIPE = """
lora_rank = 4
cutoff_len = 96
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
learning_rate = 2e-3
max_steps = 6
save_steps = 2
"""
FILES = {"adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "lineage.json", "loss.svg"}


def loam(home, *arguments, code=0, text=None, url=None, token=None):
    ran = harness.run_loam(*arguments, home=home, url=url, text=text, timeout=600,
                           env={"LOAM_API_KEY": token} if token else None)
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout if code == 0 else ran.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A node's home with a log, a data set of ten edited answers, and a recipe; no node runs on it any more."""
    home = tmp_path_factory.mktemp("home")
    with harness.Node(home=home, model="smollm2", settings=["load.threads=1"]) as node:
        def call(*arguments, text=None):
            return loam(home, *arguments, text=text, url=node.url, token=node.token())

        for seed, (question, answer) in enumerate(ANSWERS.items()):
            status, reply = node.post("/v1/chat/completions", {
                "model": "smollm2", "messages": [{"role": "user", "content": question}], "max_tokens": 4, "seed": seed},
                headers=node.owner(), timeout=300)
            assert status == 200, reply
            status, shared = node.post("/loam/v1/share", {
                "answer": reply["id"], "licence": "CC-BY-4.0", "scope": ["train"], "now": True}, headers=node.owner())
            assert status == 201, shared
            call("edit", shared["record"], "-", "-y", "--now", "-q", text=answer)
        for _ in range(400):
            head = json.loads(call("ledger", "head", "--json"))
            if head["published"] == head["size"]:
                break
        said = json.loads(call("data", "build", "--out", home / "set", "--where", "kind = edit", "--no-parquet", "--json"))
        assert said["splits"].get("train", 0) >= 5, said
    (home / "recipe.toml").write_text(RECIPE)
    return home


def start(home, *arguments):
    return json.loads(loam(home, "train", "start", "--data", home / "set", "--recipe", home / "recipe.toml", *arguments, "--json"))


@pytest.fixture(scope="module")
def trained(home):
    return start(home, "--name", "sailor")


def files_of(job):
    folder = Path(job["adapter"])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def log_of(job):
    return (Path(job["folder"]) / "log.jsonl").read_bytes()


def test_the_loss_falls_and_the_files_are_there(home, trained):
    assert trained["status"] == "succeeded" and trained["step"] == trained["steps"] == 6
    steps = [json.loads(line) for line in loam(home, "train", "logs", trained["id"], "--json").splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 7))
    assert steps[-1]["loss"] < 0.7 * steps[0]["loss"]
    assert set(files_of(trained)) == FILES
    assert files_of(trained)["loss.svg"].startswith(b"<svg")
    listed = [json.loads(line) for line in loam(home, "train", "ls", "--json").splitlines()]
    assert trained["id"] in [job["id"] for job in listed]


def test_gguf_and_peft_hold_the_same_numbers(trained):
    folder = Path(trained["adapter"])
    reader = gguf.GGUFReader(folder / "adapter.gguf")
    assert bytes(reader.fields["general.architecture"].parts[-1]) == b"llama"
    assert bytes(reader.fields["adapter.type"].parts[-1]) == b"lora"
    ours = {tensor.name: tensor.data for tensor in reader.tensors}
    assert len(ours) == 30 * 7 * 2
    theirs = load_file(folder / "adapter_model.safetensors")
    assert len(theirs) == len(ours)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["r"] == 4 and config["lora_alpha"] == 8 and config["peft_type"] == "LORA"
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
             "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    heads = {"attn_q": 9, "attn_k": 3}
    for layer in (0, 29):
        for part, name in names.items():
            prefix = f"base_model.model.model.layers.{layer}.{name}"
            numpy.testing.assert_array_equal(theirs[f"{prefix}.lora_A.weight"], ours[f"blk.{layer}.{part}.weight.lora_a"])
            b = theirs[f"{prefix}.lora_B.weight"]
            if part in heads:  # as llama.cpp's own converter orders them
                b = b.reshape(heads[part], 2, -1, b.shape[1]).swapaxes(1, 2).reshape(b.shape)
            numpy.testing.assert_array_equal(b, ours[f"blk.{layer}.{part}.weight.lora_b"])


def test_llama_cpp_alone_finds_the_answers_likelier_with_the_adapter(home, trained):
    with harness.Node(home=home) as node:
        texts = [f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>"
                 for question, answer in ANSWERS.items()]
        sequences = [node.post("/tokenize", {"model": "smollm2", "prompt": text})[1]["tokens"] for text in texts]
    base = harness.oracle(sequences)
    tuned = harness.oracle(sequences, lora=Path(trained["adapter"]) / "adapter.gguf")
    mean = [sum(map(sum, found)) / sum(map(len, found)) for found in (base, tuned)]
    assert mean[1] > mean[0] + 0.3, mean


def test_lineage_names_what_it_is_made_of(home, trained):
    lineage = json.loads(files_of(trained)["lineage.json"])
    root = json.loads((home / "set" / "root.json").read_text())["dataset_root"]
    assert lineage["data_set_root"] == root
    assert lineage["files"].keys() == FILES - {"lineage.json"}


def test_another_number_of_threads_gives_the_same_bytes(home, trained):
    again = start(home, "--name", "sailor", "--threads", "1")
    assert log_of(again) == log_of(trained)
    assert files_of(again) == files_of(trained)


def wait(home, job, reached):
    """The job's state once it is what `reached` says, or nothing works on it any more."""
    for _ in range(1200):
        state = json.loads(loam(home, "train", "show", job["id"], "--json"))
        if reached(state) or state["status"] not in ("queued", "running"):
            return state
        time.sleep(0.1)
    raise AssertionError(state)


def test_a_kill_and_a_stop_change_no_byte(home, trained):
    job = start(home, "--name", "sailor", "--background")
    folder = Path(job["folder"])
    assert wait(home, job, lambda state: state["step"] >= 3)["status"] == "running"
    os.kill(int((folder / "lock").read_text()), signal.SIGKILL)
    vanished = wait(home, job, lambda state: False)  # the kernel takes its time with a large process
    assert vanished["status"] == "failed" and "without a word" in vanished["error"]
    loam(home, "train", "resume", job["id"], "--background")
    wait(home, job, lambda state: state["step"] >= 4)
    stopped = json.loads(loam(home, "train", "stop", job["id"], "--json"))
    assert stopped["status"] in ("stopped", "succeeded"), stopped
    done = json.loads(loam(home, "train", "resume", job["id"], "--json"))
    assert done["status"] == "succeeded"
    assert log_of(done) == log_of(trained)
    assert files_of(done) == files_of(trained)
    assert len(list((folder / "checkpoints").iterdir())) == 2


def test_thumbs_and_pairs_teach_too(home, tmp_path):
    """The edits of this log are pairs; thumbs are not in it."""
    recipe = tmp_path / "dpo.toml"
    recipe.write_text(RECIPE.replace("max_steps = 6", "max_steps = 2") + 'stage = "dpo"\n')
    job = json.loads(loam(home, "train", "start", "--data", home / "set", "--recipe", recipe, "--name", "chooser", "--json"))
    steps = [json.loads(line) for line in loam(home, "train", "logs", job["id"], "--json").splitlines()]
    assert abs(steps[0]["loss"] - 0.6931471805599453) < 1e-6  # a fresh adapter is indifferent: ln 2
    assert steps[1]["loss"] < steps[0]["loss"]
    recipe.write_text('stage = "kto"\n')
    said = loam(home, "train", "start", "--data", home / "set", "--recipe", recipe, code=2)
    assert "nothing to learn from" in said


def test_a_data_set_that_changed_is_not_learned_from(home, tmp_path):
    copy = tmp_path / "set"
    subprocess.run(["cp", "-r", home / "set", copy], check=True)
    job = json.loads(loam(home, "train", "start", "--data", copy, "--recipe", home / "recipe.toml", "--background", "--json"))
    loam(home, "train", "stop", job["id"])
    rows = (copy / "sft.jsonl").read_text()
    (copy / "sft.jsonl").write_text(rows.replace("Ahoy", "Hola"))
    state = json.loads(loam(home, "train", "show", job["id"], "--json"))
    if state["status"] != "succeeded":
        assert "is not what it was" in loam(home, "train", "resume", job["id"], code=6)


def test_the_adapter_answers_under_its_own_name_beside_the_base(home, trained):
    adopted = json.loads(loam(home, "train", "adopt", trained["id"], "--json"))
    assert adopted["model"] == "sailor" and trained["id"] in adopted["source"]
    assert "sailor" not in loam(home, "train", "adopt", trained["id"], "--name", "smollm2", code=1)
    with harness.Node(home=home, settings=["load.threads=1"]) as node:
        def ask(model):
            status, reply = node.post("/v1/chat/completions", {
                "model": model, "messages": [{"role": "user", "content": "What is a harbour?"}], "max_tokens": 24,
                "temperature": 0}, headers=node.owner(), timeout=300)
            assert status == 200, reply
            return reply["choices"][0]["message"]["content"], reply["system_fingerprint"], reply["id"]

        base, tuned = ask("smollm2"), ask("sailor")
        # After six steps not each of them greets a question that it never saw; the tour learns for longer.
        assert tuned[0] != base[0] and tuned[1] != base[1], (base, tuned)
        kept = json.loads(node.get(f"/loam/v1/answers/{tuned[2]}", headers=node.owner())[1])
        assert kept["adapter_sha256"] == adopted["adapter_sha256"]
        # Shared, its record names both files.
        status, shared = node.post("/loam/v1/share", {
            "answer": tuned[2], "licence": "CC-BY-4.0", "scope": ["eval"], "now": True}, headers=node.owner())
        assert status == 201, shared
        record = str(node.get(f"/loam/v1/records/{shared['record']}", headers=node.owner())[1])
        assert kept["model_sha256"] in record and kept["adapter_sha256"] in record
        assert "sailor" in loam(home, "ls", url=node.url, token=node.token())
    assert "begins at a base" in loam(home, "train", "start", "--data", home / "set", "--model", "sailor", code=1)


def test_an_adapter_from_another_trainer_is_taken_in(home, trained, tmp_path):
    folder = tmp_path / "theirs"
    subprocess.run(["cp", "-r", trained["adapter"], folder], check=True)
    (folder / "adapter.gguf").unlink()
    said = json.loads(loam(home, "train", "import", folder, "--model", "smollm2", "--name", "theirs", "--json"))
    assert said["source"] == "trained outside, not replayable: theirs"
    written = next((home / "data" / "models").glob(said["adapter_sha256"] + "*"))
    numbers = [{tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
               for path in (written, Path(trained["adapter"]) / "adapter.gguf")]
    assert numbers[0].keys() == numbers[1].keys()
    for name in numbers[0]:
        numpy.testing.assert_array_equal(*(found[name] for found in numbers))
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    assert "use_dora" in loam(home, "train", "import", folder, "--model", "smollm2", "--name", "dora", code=1)
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 100)
    loam(home, "train", "import", folder, "--model", "smollm2", "--name", "broken", code=1)
    loam(home, "train", "import", tmp_path / "nothing", "--model", "smollm2", "--name", "nothing", code=3)


def test_what_cannot_be_trained_is_refused(home, tmp_path):
    bad = tmp_path / "recipe.toml"
    bad.write_text("lora_rnak = 4\n")
    said = loam(home, "train", "start", "--data", home / "set", "--recipe", bad, code=2)
    assert "lora_rank" in said
    said = loam(home, "train", "start", "--data", home / "set", "--model", "gpt", code=3)
    assert "gpt" in said
    loam(home, "train", "start", "--data", tmp_path, code=3)
    damaged = tmp_path / "set"
    subprocess.run(["cp", "-r", home / "set", damaged], check=True)
    with open(damaged / "sft.jsonl", "a") as rows:
        rows.write("{}\n")
    assert "damaged" in loam(home, "train", "start", "--data", damaged, code=6)
    bad.write_text("cutoff_len = 16\n")
    assert "too long for cutoff_len = 16" in loam(home, "train", "start", "--data", home / "set", "--recipe", bad, code=2)


WHOLE_RECIPE = """
finetuning_type = "full"
cutoff_len = 160
per_device_train_batch_size = 4
gradient_accumulation_steps = 1
learning_rate = 3e-3
max_steps = 250
save_steps = 30
"""


@pytest.fixture(scope="module")
def toy(home, tmp_path_factory):
    """Another home, with a model of a million random parameters; (home, how to train on the first home's data set)."""
    with harness.Node(home=home) as node:
        key = json.loads(loam(home, "ledger", "head", "--json", url=node.url, token=node.token()))["verifier_key"]
    folder = tmp_path_factory.mktemp("toy")
    toy_model.write(folder / "toy.gguf", (harness.ROOT / "LICENSE").read_text())
    with harness.Node(home=folder) as node:
        loam(folder, "pull", folder / "toy.gguf", "--name", "toy", url=node.url, token=node.token())
    (folder / "whole.toml").write_text(WHOLE_RECIPE)
    return folder, ["train", "start", "--data", home / "set", "--key", key, "--recipe", folder / "whole.toml", "--json"]


@pytest.fixture(scope="module")
def whole(toy):
    return json.loads(loam(toy[0], *toy[1], "--name", "parrot"))


def gguf_of(path):
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items()}, {tensor.name: tensor for tensor in reader.tensors}


def test_all_parameters_of_a_toy_become_a_model_of_its_own(toy, whole):
    assert whole["status"] == "succeeded" and "adapter" not in whole
    files = {path.name: path.read_bytes() for path in Path(whole["trained_model"]).iterdir()}
    assert set(files) == {"model.gguf", "lineage.json", "loss.svg"}
    lineage = json.loads(files["lineage.json"])
    assert lineage["files"].keys() == {"model.gguf", "loss.svg"} and lineage["base"]["name"] == "toy"
    before, old = gguf_of(toy[0] / "toy.gguf")
    after, new = gguf_of(Path(whole["trained_model"]) / "model.gguf")
    assert after["general.name"] == "parrot" and after["loam.base_sha256"] == lineage["base"]["sha256"]
    for name in before.keys() - {"general.name"}:
        if not name.startswith("GGUF."):  # counts
            assert after[name] == before[name], name
    assert new.keys() == old.keys()
    for name, tensor in new.items():
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert tensor.data.shape == old[name].data.shape and not numpy.array_equal(tensor.data, old[name].data), name


def test_all_parameters_are_the_same_bytes_on_one_thread_and_after_a_stop(toy, whole):
    job = json.loads(loam(toy[0], *toy[1], "--name", "parrot", "--threads", "1", "--background"))
    wait(toy[0], job, lambda state: state["step"] >= 5)
    loam(toy[0], "train", "stop", job["id"])
    done = json.loads(loam(toy[0], "train", "resume", job["id"], "--json"))
    assert log_of(done) == log_of(whole)
    for name in ("model.gguf", "lineage.json"):
        assert (Path(done["trained_model"]) / name).read_bytes() == (Path(whole["trained_model"]) / name).read_bytes()


def test_the_trained_toy_answers_what_it_learned(home, toy, whole):
    adopted = json.loads(loam(toy[0], "train", "adopt", whole["id"], "--json"))
    assert adopted["model"] == "parrot" and whole["id"] in adopted["source"] and "adapter_sha256" not in adopted
    loam(toy[0], "train", "adopt", whole["id"])  # a second time changes nothing
    rows = [json.loads(line) for line in (home / "set" / "sft.jsonl").read_text().splitlines()]
    learned = [row["messages"] for row in rows if row["split"] == "train"]
    with harness.Node(home=toy[0], settings=["load.threads=1"]) as node:
        answers = []
        for messages in learned:
            status, reply = node.post("/v1/chat/completions", {
                "model": "parrot", "messages": messages[:-1], "max_tokens": 60, "temperature": 0}, headers=node.owner())
            assert status == 200, reply
            answers.append((reply["choices"][0]["message"]["content"], messages[-1]["content"]))
        # Word by word; one or two may be on the edge.
        assert sum(answer == taught for answer, taught in answers) >= len(learned) - 2, answers
        assert "parrot" in loam(toy[0], "ls", url=node.url, token=node.token())


def test_larger_models_are_not_trained_whole(home, toy):
    said = loam(home, "train", "start", "--data", home / "set", "--recipe", toy[0] / "whole.toml", "--model", "smollm2", code=1)
    assert "less than 5000000 parameters, and it has 134515008" in said and 'finetuning_type = "lora"' in said


CONFIGS = {"trl": "trl.yaml", "llama-factory": "llamafactory.yaml", "axolotl": "axolotl.yaml"}


@pytest.mark.parametrize("trainer", CONFIGS)
def test_another_trainer_gets_rows_and_configuration(home, tmp_path, trainer):
    recipe = tmp_path / "recipe.toml"
    for stage, answers in (("sft", {"completion", "messages"}), ("dpo", {"chosen"})):
        recipe.write_text(RECIPE + f'stage = "{stage}"\n')
        out = tmp_path / stage
        said = json.loads(loam(home, "train", "export", "--data", home / "set", "--recipe", recipe, "--to", trainer,
                               "--model", "smollm2", "--base-id", "owner/model", out, "--json"))
        assert {path.name for path in out.iterdir()} == set(said["files"])
        rows = load_dataset("json", data_files=str(out / "train.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
        sft = [json.loads(line) for line in (home / "set" / f"{stage}.jsonl").read_text().splitlines()]
        assert len(rows) == said["rows"] == len([row for row in sft if row["split"] == "train"])
        assert answers & set(rows.column_names)
        assert all("Ahoy!" in json.dumps(row) for row in rows)
        config = yaml.safe_load((out / CONFIGS[trainer]).read_text())
        assert config["learning_rate"] == 2e-3 and config["max_steps"] == 6
        assert "owner/model" in config.values()
        assert said["data_set_root"] in (out / "README.md").read_text()
    assert "is not empty" in loam(home, "train", "export", "--data", home / "set", "--to", trainer, out, code=1)


def test_what_another_trainer_cannot_do_is_refused(home, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('stage = "kto"\n')
    assert "--to trl" in loam(home, "train", "export", "--data", home / "set", "--recipe", recipe, "--to", "axolotl",
                              tmp_path / "a", code=1)
    loam(home, "train", "export", "--data", home / "set", "--to", "unsloth", tmp_path / "b", code=2)
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()
