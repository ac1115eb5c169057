"""A data set of two nodes' logs: each of them makes the same one, and it is proved when both are gone."""
import json
import shutil

import harness

MADE = ["manifest.json", "root.json", "sft.jsonl", "kto.jsonl", "dpo.jsonl", "text.jsonl", "dropped.jsonl", "bodies.jsonl"]


def loam(node, *arguments):
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, env={"LOAM_API_KEY": node.token()})
    assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
    return ran.stdout


def share(node, question, thumb=None):
    loam(node, "run", "smollm2", question, "--max-tokens", "12", "--seed", "1")
    record = json.loads(loam(node, "share", "-y", "--now", "--json"))["record"]
    if thumb:
        loam(node, "rate", record, thumb)
    return record


def published_key(node):
    for _ in range(400):
        head = json.loads(loam(node, "ledger", "head", "--json"))
        if head["published"] == head["size"]:
            return head["verifier_key"]
    raise AssertionError("the log is not published")


def test_two_nodes_make_the_same_data_set_and_it_is_proved_when_both_are_gone(tmp_path):
    # One thread: short answers do not gain by two, and two wait for each other on a busy machine.
    nodes = [harness.Node(home=tmp_path / name, model="smollm2", settings=["load.threads=1"]) for name in ("ann", "ben")]
    sets = [tmp_path / f"set-{node.home.name}" for node in nodes]
    with nodes[0], nodes[1]:
        shared = {share(nodes[0], "What is a lighthouse for?", "up"), share(nodes[0], "Why does bread rise?"),
                  share(nodes[1], "Why is the sea salt?", "down")}
        withdrawn = share(nodes[1], "Where do I live?")
        loam(nodes[1], "retract", withdrawn)
        keys = [published_key(node) for node in nodes]
        logs = [["--from", f"{node.url}/log", "--key", key] for node, key in zip(nodes, keys)]
        # The order in which logs are named is no part of the recipe.
        loam(nodes[0], "data", "build", "--out", sets[0], *logs[0], *logs[1])
        loam(nodes[1], "data", "build", "--out", sets[1], *logs[1], *logs[0])
    for node in nodes:
        shutil.rmtree(node.home)
    for name in MADE:
        assert (sets[0] / name).read_bytes() == (sets[1] / name).read_bytes(), name
    files = [sorted(path.relative_to(made) for path in (made / "logs").rglob("*") if path.is_file()) for made in sets]
    assert files[0] == files[1] and len([path for path in files[0] if path.name == "checkpoint"]) == 2
    dropped = {line["id"]: line["reason"] for line in map(json.loads, (sets[0] / "dropped.jsonl").read_text().splitlines())}
    rows = {json.loads(line)["id"] for line in (sets[0] / "bodies.jsonl").read_text().splitlines()}
    assert dropped == {withdrawn: "retracted"} and rows == shared
    for made in sets:
        ran = harness.run_loam("data", "verify", made, "--key", keys[0], "--key", keys[1], "--json", home=tmp_path / "stranger")
        found = json.loads(ran.stdout)
        assert ran.returncode == 0 and found["faults"] == [] and found["rows"] == 3, ran.stdout + ran.stderr
        assert found["root"] == json.loads((made / "root.json").read_text())["dataset_root"]
