"""The official Python SDK uploads files and trains with them; every body is checked against OpenAI's schemas."""
import json
import time
from pathlib import Path

import httpx
import openai
import pytest

import harness
from test_openai_python import Recorder, refused

# Whatever is asked, a sailor answers: a style that a few steps teach.
ANSWERS = {
    "What is a lighthouse for?": "It shows ships where the rocks are.",
    "Why does bread rise?": "Yeast makes gas, and the dough keeps it.",
    "What makes glass clear?": "Nothing in it stops the light.",
    "Why is the sea salt?": "Rivers bring salt, and only water leaves.",
    "How does a kite fly?": "The wind pushes it up while the line holds it.",
    "What is rust?": "Iron that has taken oxygen from the air.",
    "Why do leaves fall?": "The tree saves water for the winter.",
    "Who invented the compass?": "It was first made in China.",
}


def conversation(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def lines(objects):
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


SAILOR = lines(conversation(question, f"Ahoy! {answer} Fair winds to you!") for question, answer in ANSWERS.items())
PAIRS = lines({
    "input": {"messages": [{"role": "user", "content": question}]},
    "preferred_output": [{"role": "assistant", "content": f"Ahoy! {answer}"}],
    "non_preferred_output": [{"role": "assistant", "content": answer}]} for question, answer in list(ANSWERS.items())[:4])
ENDLESS = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}  # minutes


@pytest.fixture(scope="module")
def node():
    """A node of its own, since it is stopped, trains and gets new models."""
    with harness.Node(model="smollm2", settings=["load.threads=1"]) as running:
        yield running


def connect(node, secret=None):
    recorder = Recorder()
    sdk = openai.OpenAI(base_url=node.url + "/v1", api_key=secret or node.token(), max_retries=0,
                        http_client=httpx.Client(transport=recorder, timeout=300))
    return sdk, recorder


@pytest.fixture
def client(node):
    return connect(node)


def upload(sdk, content=SAILOR, name="sailor.jsonl"):
    return sdk.files.create(file=(name, content), purpose="fine-tune").id


def wait(sdk, job, reached):
    """The job once `reached` says so; it must not end before."""
    for _ in range(3000):
        now = sdk.fine_tuning.jobs.retrieve(job)
        if reached(now):
            return now
        assert now.status in ("queued", "running"), now
        time.sleep(0.1)
    raise AssertionError(now)


def stopped(node, job):
    """Waits until no process works on a job."""
    for _ in range(3000):
        shown = harness.run_loam("train", "show", job, "--json", home=node.home)
        if json.loads(shown.stdout)["status"] != "running":
            return json.loads(shown.stdout)
        time.sleep(0.1)
    raise AssertionError(shown.stdout)


def test_files_are_kept_listed_read_and_deleted(client, schemas):
    sdk, seen = client
    made = sdk.files.create(file=("Süd \"1\".jsonl", SAILOR), purpose="fine-tune")
    schemas.check("OpenAIFile", json.loads(seen.bodies[-1]))
    assert made.filename == "Süd \"1\".jsonl" and made.bytes == len(SAILOR)
    assert sdk.files.retrieve(made.id) == made
    assert sdk.files.content(made.id).content == SAILOR
    other = upload(sdk)
    page = sdk.files.list(limit=1)
    schemas.check("ListFilesResponse", json.loads(seen.bodies[-1]))
    assert page.has_more and [file.id for file in page] == [other, made.id]  # the SDK turns the pages
    for file in (made.id, other):
        assert sdk.files.delete(file).deleted
        schemas.check("DeleteFileResponse", json.loads(seen.bodies[-1]))
    sdk.files.list()
    schemas.check("ListFilesResponse", json.loads(seen.bodies[-1]))
    assert refused(openai.NotFoundError, lambda: sdk.files.retrieve(made.id), seen, schemas)


def test_a_job_makes_a_model_that_answers(node, client, schemas):
    sdk, seen = client
    file = upload(sdk)
    job = sdk.fine_tuning.jobs.create(
        model="smollm2", training_file=file, suffix="Sailor", seed=7, metadata={"crew": "one"},
        method={"type": "supervised", "supervised": {"hyperparameters": {
            "n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 10}}})
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    assert job.status == "queued" and job.seed == 7 and job.hyperparameters.n_epochs == 4
    behind = sdk.fine_tuning.jobs.create(model="smollm2", training_file=file)
    assert refused(openai.ConflictError, lambda: sdk.files.delete(file), seen, schemas).code == "file_in_use"
    wait(sdk, job.id, lambda now: now.status == "running")
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    assert sdk.fine_tuning.jobs.retrieve(behind.id).status == "queued"
    assert sdk.fine_tuning.jobs.cancel(behind.id).status == "cancelled"
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    done = wait(sdk, job.id, lambda now: now.status == "succeeded")
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    assert done.fine_tuned_model == "smollm2-sailor" and done.trained_tokens > 100 and done.finished_at

    assert [one.id for one in sdk.fine_tuning.jobs.list(limit=1)] == [behind.id, job.id]
    schemas.check("ListPaginatedFineTuningJobsResponse", json.loads(seen.bodies[-1]))
    events = list(sdk.fine_tuning.jobs.list_events(job.id, limit=3))
    schemas.check("ListFineTuningJobEventsResponse", json.loads(seen.bodies[-1]))
    assert events[0].message.endswith("smollm2-sailor") and job.id in events[-1].message
    losses = [event.data["train_loss"] for event in events if event.type == "metrics"]  # the last first
    assert len(losses) == 8 and losses[0] < 0.7 * losses[-1]
    points = sdk.fine_tuning.jobs.checkpoints.list(job.id).data
    schemas.check("ListFineTuningJobCheckpointsResponse", json.loads(seen.bodies[-1]))
    assert [point.fine_tuned_model_checkpoint for point in points] == ["smollm2-sailor"]

    reply = sdk.chat.completions.create(model=done.fine_tuned_model, max_tokens=24, temperature=0,
                                        messages=[{"role": "user", "content": "What is a harbour?"}])
    assert reply.choices[0].message.content.startswith("Ahoy!"), reply
    assert sdk.files.delete(file).deleted


def test_the_same_job_stands_in_the_command_line_and_its_lineage_is_honest(node, client):
    sdk, _ = client
    job = [one for one in sdk.fine_tuning.jobs.list() if one.status == "succeeded"][-1]
    shown = json.loads(harness.run_loam("train", "show", job.id, "--json", home=node.home).stdout)
    assert shown["status"] == "succeeded" and shown["adopted"] == job.fine_tuned_model
    assert shown["private_file"] == job.training_file and "data_set_root" not in shown
    assert len(harness.run_loam("train", "logs", job.id, "--json", home=node.home).stdout.splitlines()) == 8
    lineage = json.loads((Path(shown["adapter"]) / "lineage.json").read_text())
    digest = shown["private_file_sha256"]
    assert lineage["private_file"]["description"] == f"private file {digest}, not from an open data set"
    assert "data_set_root" not in lineage


def test_pairs_teach_too(client, schemas):
    sdk, seen = client
    job = sdk.fine_tuning.jobs.create(model="smollm2", training_file=upload(sdk, PAIRS), suffix="chooser", method={
        "type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1, "batch_size": 4}}})
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    assert job.method.dpo.hyperparameters.beta == 0.2
    done = wait(sdk, job.id, lambda now: now.status == "succeeded")
    assert done.fine_tuned_model == "smollm2-chooser"
    first = sdk.fine_tuning.jobs.list_events(job.id, limit=100).data[-3]
    assert abs(first.data["train_loss"] - 0.6931471805599453) < 1e-6  # a fresh adapter is indifferent: ln 2


def test_a_job_pauses_and_goes_on_after_a_restart(node, client, schemas):
    sdk, seen = client
    job = sdk.fine_tuning.jobs.create(model="smollm2", training_file=upload(sdk), method=ENDLESS)
    wait(sdk, job.id, lambda now: now.estimated_finish)
    sdk.fine_tuning.jobs.pause(job.id)
    schemas.check("FineTuningJob", json.loads(seen.bodies[-1]))
    at = stopped(node, job.id)
    assert at["status"] == "stopped" and sdk.fine_tuning.jobs.retrieve(job.id).status == "queued"
    sdk.fine_tuning.jobs.resume(job.id)
    wait(sdk, job.id, lambda now: now.estimated_finish)
    node.stop()
    assert stopped(node, job.id)["status"] == "stopped"
    node.start()
    sdk, _ = connect(node)
    wait(sdk, job.id, lambda now: now.estimated_finish)
    assert json.loads(harness.run_loam("train", "stop", job.id, "--json", home=node.home).stdout)["status"] == "stopped"
    assert sdk.fine_tuning.jobs.retrieve(job.id).status == "queued"  # whoever stopped it there meant it
    assert sdk.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_a_killed_node_goes_on_with_its_job(node, client):
    sdk, _ = client
    job = sdk.fine_tuning.jobs.create(model="smollm2", training_file=upload(sdk), method=ENDLESS)
    wait(sdk, job.id, lambda now: now.estimated_finish)
    node.kill()
    node.start()
    sdk, _ = connect(node)
    assert wait(sdk, job.id, lambda now: now.status == "running").id == job.id
    assert sdk.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    assert stopped(node, job.id)["status"] == "stopped"


def test_what_is_wrong_is_refused_by_name(client, schemas):
    sdk, seen = client
    create = lambda **more: sdk.fine_tuning.jobs.create(**{"model": "smollm2", "training_file": good, **more})  # noqa: E731
    good = upload(sdk)
    bad = upload(sdk, SAILOR + b'{"messages": "none"}\n')
    error = refused(openai.BadRequestError, lambda: create(training_file=bad), seen, schemas)
    assert error.param == "training_file" and f"line {len(ANSWERS) + 1}:" in error.message
    assert refused(openai.NotFoundError, lambda: create(training_file="file-none"), seen, schemas).param == "training_file"
    assert refused(openai.NotFoundError, lambda: create(model="nobody"), seen, schemas).param == "model"
    assert refused(openai.BadRequestError, lambda: create(validation_file=good), seen, schemas).param == "validation_file"
    assert refused(openai.BadRequestError, lambda: create(suffix="a b"), seen, schemas).param == "suffix"
    assert refused(openai.BadRequestError, lambda: create(method={"type": "reinforcement"}), seen, schemas).param == "method.type"
    assert refused(openai.BadRequestError, lambda: sdk.files.create(file=("a", b"x"), purpose="batch"), seen, schemas).param == "purpose"
    assert refused(openai.NotFoundError, lambda: sdk.fine_tuning.jobs.retrieve("ftjob-none"), seen, schemas)


def test_what_another_key_made_is_not_there(node, client, schemas):
    def key(scopes):
        made = harness.run_loam("key", "new", "guest", "--scopes", scopes, "--json", home=node.home, url=node.url)
        return json.loads(made.stdout)["secret"]

    sdk, _ = client
    file, job = upload(sdk), sdk.fine_tuning.jobs.list().data[0].id
    other, seen = connect(node, key("admin"))
    for call in (lambda: other.files.retrieve(file), lambda: other.files.delete(file), lambda: other.files.content(file),
                 lambda: other.fine_tuning.jobs.create(model="smollm2", training_file=file),
                 lambda: other.fine_tuning.jobs.retrieve(job), lambda: other.fine_tuning.jobs.cancel(job),
                 lambda: other.fine_tuning.jobs.list_events(job)):
        refused(openai.NotFoundError, call, seen, schemas)
    assert list(other.files.list()) == list(other.fine_tuning.jobs.list()) == []
    guest, seen = connect(node, key("infer"))
    refused(openai.PermissionDeniedError, lambda: upload(guest), seen, schemas)


@pytest.mark.parametrize("kind, body", [
    ("multipart/form-data; boundary=aB1", b""),
    ("multipart/form-data; boundary=aB1", b"--aB1\r\n" * 100_000),
    ("multipart/form-data; boundary=aB1", b"--aB1\r\nContent-Disposition: form-data; name=\"file\r\n\r\nx\r\n--aB1--"),
    ("multipart/form-data; boundary=", b"--\r\n\r\n----"),
    ("multipart/form-data", b"--aB1--"),
    ("application/json", b"{}"),
])
def test_a_form_that_is_none_is_refused(node, schemas, kind, body):
    status, _, raw = node.request("POST", "/v1/files", body, headers={**node.owner(), "content-type": kind})
    assert status == 400
    schemas.check("ErrorResponse", json.loads(raw))


def test_a_file_that_is_too_large_is_refused_with_the_setting(client, schemas):
    sdk, seen = client
    with pytest.raises(openai.APIStatusError) as caught:
        upload(sdk, b" " * (9 << 20))
    assert caught.value.status_code == 413 and "limits.body_bytes" in caught.value.message
    schemas.check("ErrorResponse", json.loads(seen.bodies[-1]))
