"""A data set from answers that were shared through the API, loaded by programs that know nothing of Loam."""
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.json
import pyarrow.parquet
import pytest

import harness

QUESTIONS = ["What is a lighthouse for?", "Why does bread rise?", "How do bees find their way home?", "What makes glass clear?",
             "Who invented the compass?", "Why is the sea salt?", "How does a kite fly?", "What is rust?", "Why do leaves fall?"]
VIEWS = ["sft", "kto", "dpo", "text"]


def loam(node, *arguments, code=0, text=None):
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, text=text, env={"LOAM_API_KEY": node.token()})
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout


class Shared:
    """What is in the log: record ids by what was done with them, and the log's key."""

    def __init__(self, node):
        self.node, self.records = node, []
        for seed, question in enumerate(QUESTIONS):
            status, answer = node.post("/v1/chat/completions", {
                "model": "smollm2", "messages": [{"role": "user", "content": question}], "max_tokens": 24, "seed": seed},
                headers=node.owner(), timeout=300)
            assert status == 200, answer
            self.records.append(self.post("/loam/v1/share", {
                "answer": answer["id"], "licence": "CC-BY-4.0", "now": True,
                # The last one may be measured with and not learned from.
                "scope": ["eval"] if question == QUESTIONS[-1] else ["train", "eval"]})["record"])
        for i, thumb in ((0, "up"), (1, "down"), (2, "up")):
            loam(node, "rate", self.records[i], thumb)
        self.edited = loam(node, "edit", self.records[3], "-", "-y", "--now", "-q",
                           text="Glass is clear, since light of the colours that we see finds nothing in it to stop it.").strip()
        self.retracted = self.records[4]
        loam(node, "retract", self.retracted)
        self.flush()

    def post(self, path, body):
        status, reply = self.node.post(path, body, headers=self.node.owner())
        assert status == 201, reply
        return reply

    def flush(self):
        for _ in range(400):
            head = json.loads(loam(self.node, "ledger", "head", "--json"))
            if head["published"] == head["size"]:
                self.key = head["verifier_key"]
                return
        raise AssertionError("the log is not published")


@pytest.fixture(scope="module")
def shared():
    # One thread: short answers do not gain by two, and two wait for each other on a busy machine.
    with harness.Node(model="smollm2", settings=["load.threads=1"]) as node:
        yield Shared(node)


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    made = tmp_path_factory.mktemp("data") / "set"
    said = json.loads(loam(shared.node, "data", "build", "--out", made, "--json"))
    assert said["parquet"] and said["rows"] > 3
    return made


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def parquet(folder, view):
    return folder / "data" / f"{view}-00000-of-00001.parquet"


def rows_of_duckdb(sql):
    found = duckdb.connect().execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


def verify(folder, *arguments, home):
    """The exit code, and all that was said."""
    ran = harness.run_loam("data", "verify", folder, *arguments, home=home)
    return ran.returncode, ran.stdout + ran.stderr


# --- what it holds ---------------------------------------------------------------------------------


def test_rows_are_what_was_shared_and_what_is_left_out_has_a_reason(shared, folder):
    sft = {row["id"]: row for row in lines(folder / "sft.jsonl")}
    dropped = {row["id"]: row["reason"] for row in lines(folder / "dropped.jsonl")}
    assert shared.retracted not in sft and dropped[shared.retracted] == "retracted"
    first = sft[shared.records[0]]
    assert first["messages"][-2] == {"role": "user", "content": QUESTIONS[0]}
    assert first["rating"] == 1 and first["licence"] == "CC-BY-4.0" and first["origin"] == "model"
    assert sft[shared.edited]["messages"][-1]["content"].startswith("Glass is clear")
    assert {row["id"]: row["label"] for row in lines(folder / "kto.jsonl")} == {
        shared.records[0]: True, shared.records[1]: False, shared.records[2]: True}
    pair = {row["id"]: row for row in lines(folder / "dpo.jsonl")}[shared.edited]
    assert pair["rejected_id"] == shared.records[3] and pair["rejected"] != pair["chosen"]
    # Every shared record is a row or was left out for a reason.
    for record in [*shared.records, shared.edited]:
        assert (record in sft or record == shared.records[1]) != (record in dropped), record
    if shared.records[-1] in sft:
        assert sft[shared.records[-1]]["split"] != "train"
    for path in folder.rglob("*"):
        if path.is_file():
            assert QUESTIONS[4].encode() not in path.read_bytes(), path


def test_the_same_logs_give_the_same_bytes_from_wherever_they_are_read(shared, folder, tmp_path):
    log = f"{shared.node.url}/log"
    loam(shared.node, "ledger", "export", tmp_path / "copy")
    for number, arguments in enumerate(([], ["--from", log, "--key", shared.key], ["--from", tmp_path / "copy", "--key", shared.key])):
        again = tmp_path / f"set-{number}"
        loam(shared.node, "data", "build", "--out", again, *arguments)
        files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
        for name in files:
            assert (again / name).read_bytes() == (folder / name).read_bytes(), (arguments, name)


# --- who loads it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_datasets_loads_a_view(folder, view, tmp_path):
    import datasets
    expected = lines(folder / f"{view}.jsonl")
    cache = {"cache_dir": str(tmp_path / "cache")}
    assert datasets.load_dataset(str(folder), view, split="unsplit", **cache).to_list() == expected
    for kind, path in (("json", folder / f"{view}.jsonl"), ("parquet", parquet(folder, view))):
        assert datasets.load_dataset(kind, data_files=str(path), split="train", **cache).to_list() == expected, kind


@pytest.mark.parametrize("view", VIEWS)
def test_pyarrow_loads_a_view(folder, view):
    expected = lines(folder / f"{view}.jsonl")
    assert pyarrow.json.read_json(folder / f"{view}.jsonl").to_pylist() == expected
    table = pyarrow.parquet.read_table(parquet(folder, view))
    assert table.to_pylist() == expected and table.column_names == list(expected[0])
    assert pyarrow.parquet.ParquetFile(parquet(folder, view)).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("view", VIEWS)
def test_duckdb_loads_a_view(folder, view):
    expected = lines(folder / f"{view}.jsonl")
    assert rows_of_duckdb(f"SELECT * FROM read_json('{folder}/{view}.jsonl')") == expected
    assert rows_of_duckdb(f"SELECT * FROM read_json('{folder}/{view}.jsonl.zst')") == expected
    assert rows_of_duckdb(f"SELECT * FROM '{parquet(folder, view)}'") == expected


@pytest.mark.parametrize("view", VIEWS)
def test_polars_loads_a_view(folder, view):
    expected = lines(folder / f"{view}.jsonl")
    assert polars.read_ndjson(folder / f"{view}.jsonl").to_dicts() == expected
    assert polars.read_parquet(parquet(folder, view)).to_dicts() == expected


def test_croissant_is_valid_and_leads_to_the_rows(folder):
    ran = subprocess.run([Path(sys.executable).with_name("mlcroissant"), "validate", "--jsonld", folder / "croissant.json"],
                         capture_output=True, text=True)
    assert ran.returncode == 0 and "Done." in ran.stderr, ran.stdout + ran.stderr
    import mlcroissant
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    for view in VIEWS:
        assert [text(row, view) for row in described.records(view)] == lines(folder / f"{view}.jsonl"), view


def text(value, view):
    """What mlcroissant gives, with text for its bytes and without the names of views before its own."""
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: text(item, view) for key, item in value.items()}
    if isinstance(value, list):
        return [text(item, view) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def test_containers_hold_the_same_lines_and_their_hashes_are_right(folder):
    listed = json.loads((folder / "containers.json").read_text())["files"]
    assert sorted(file["name"] for file in listed) == sorted(
        [f"{view}.jsonl.zst" for view in VIEWS] + [f"data/{view}-00000-of-00001.parquet" for view in VIEWS])
    for file in listed:
        content = (folder / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"] and len(content) == file["bytes"]
    for view in VIEWS:
        with pyarrow.input_stream(str(folder / f"{view}.jsonl.zst"), compression="zstd") as file:
            assert file.read() == (folder / f"{view}.jsonl").read_bytes()


# --- who verifies it -------------------------------------------------------------------------------


def test_a_stranger_verifies_it_without_node_or_network(shared, folder, tmp_path):
    code, said = verify(folder, "--key", shared.key, "--json", home=tmp_path)
    found = json.loads(said)
    assert code == 0 and found["faults"] == [] and found["rows"] > 3
    assert found["root"] == json.loads((folder / "root.json").read_text())["dataset_root"]
    assert verify(folder, home=shared.node.home)[0] == 0  # this node's own log
    code, said = verify(folder, "--key", shared.key, "--from", f"{shared.node.url}/log", "--json", home=tmp_path)
    assert code == 0 and json.loads(said)["rechecked"]


def test_a_key_from_elsewhere_is_refused(shared, folder, tmp_path):
    with harness.Node(home=tmp_path / "other", fake_step_ms=1) as other:
        key = json.loads(loam(other, "ledger", "head", "--json"))["verifier_key"]
    assert key != shared.key
    assert verify(folder, "--key", key, home=tmp_path)[0] != 0
    # The name of the right log with the wrong key.
    name, number, _ = shared.key.split("+", 2)
    assert verify(folder, "--key", f"{name}+{number}+{key.split('+', 2)[2]}", home=tmp_path)[0] != 0


def test_every_flipped_byte_is_noticed(shared, folder, tmp_path):
    names = ["manifest.json", "root.json", "dropped.jsonl", "bodies.jsonl", *(f"{view}.jsonl" for view in VIEWS)]
    names += [str(path.relative_to(folder)) for path in (folder / "logs").rglob("*") if path.is_file()]
    assert len(names) >= 10
    for name in names:
        path, content = folder / name, (folder / name).read_bytes()
        for at in sorted({0, len(content) // 3, len(content) * 2 // 3, len(content) - 1}):
            changed = bytearray(content)
            changed[at] ^= 1
            path.write_bytes(changed)
            code, said = verify(folder, "--key", shared.key, home=tmp_path)
            path.write_bytes(content)
            assert code != 0, f"{name}, byte {at} of {len(content)} ({content[max(at - 20, 0):at + 20]}): {said}"
    assert verify(folder, "--key", shared.key, home=tmp_path)[0] == 0


@pytest.mark.parametrize("name", ["sft.jsonl", "dropped.jsonl", "bodies.jsonl"])
def test_a_line_that_is_missing_or_twice_is_noticed(shared, folder, tmp_path, name):
    content = (folder / name).read_bytes()
    first, rest = content.split(b"\n", 1)
    try:
        for changed in (rest, first + b"\n" + content):
            (folder / name).write_bytes(changed)
            assert verify(folder, "--key", shared.key, home=tmp_path)[0] != 0
    finally:
        (folder / name).write_bytes(content)


# Last: it changes the log that the others read.
def test_what_was_retracted_since_is_not_in_the_next_one(shared, folder, tmp_path):
    loam(shared.node, "retract", shared.records[0])
    shared.flush()
    loam(shared.node, "data", "build", "--out", tmp_path / "next")
    assert shared.records[0] in (folder / "sft.jsonl").read_text()
    assert shared.records[0] not in (tmp_path / "next" / "sft.jsonl").read_text()
    assert QUESTIONS[0] not in (tmp_path / "next" / "bodies.jsonl").read_text()
    assert verify(tmp_path / "next", "--key", shared.key, home=tmp_path)[0] == 0
    # The older one is what it was: proved for the height at which it was made.
    assert verify(folder, "--key", shared.key, home=tmp_path)[0] == 0
