"""What was retracted after a data set was built is not learned from, though the folder still holds it."""
import json

import pytest

import harness
from sailor import loam, toy_home, wait_published

RECIPE = """
finetuning_type = "full"
cutoff_len = 160
per_device_train_batch_size = 2
gradient_accumulation_steps = 1
max_steps = {steps}
"""
FEW, MANY = 2, 3_000  # many: it is stopped


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    toy_home(home)
    for name, steps in (("few", FEW), ("many", MANY)):
        (home / f"{name}.toml").write_text(RECIPE.format(steps=steps))
    build(home, "set")
    return home


def build(home, name):
    return json.loads(loam(home, "data", "build", "--out", home / name, "--where", "kind = edit", "--no-parquet", "--json"))


def start(home, data, *arguments, code=0, recipe="few"):
    return loam(home, "train", "start", "--data", home / data, "--recipe", home / f"{recipe}.toml", *arguments, "--json", code=code)


def retract(home, record):
    with harness.Node(home=home) as node:
        status, said = node.post(f"/loam/v1/records/{record}/retract", {}, headers=node.owner())
        assert status == 200, said
        wait_published(node, home)


def test_a_data_set_with_a_text_that_was_retracted_since_is_not_learned_from(home):
    rows = [json.loads(line) for line in (home / "set" / "sft.jsonl").read_text().splitlines()]
    assert json.loads(start(home, "set"))["status"] == "succeeded"
    loam(home, "train", "export", "--data", home / "set", "--to", "trl", home / "before")
    stopped = json.loads(start(home, "set", "--background", recipe="many"))
    loam(home, "train", "stop", stopped["id"])
    retract(home, next(row["id"] for row in rows if row["split"] == "train"))
    for said in (start(home, "set", code=5),
                 loam(home, "train", "export", "--data", home / "set", "--to", "trl", home / "after", code=5),
                 loam(home, "train", "resume", stopped["id"], code=5)):
        assert "1 record in the data set" in said and "retracted since" in said and "loam data build" in said, said
    assert not (home / "after").exists()
    shown = json.loads(loam(home, "train", "show", stopped["id"], "--json"))
    assert shown["status"] == "failed" and "retracted since" in shown["error"], shown
    assert build(home, "again")["rows"] == len(rows) - 1
    assert json.loads(start(home, "again"))["status"] == "succeeded"
