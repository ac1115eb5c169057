"""Consent in a request, asked for by the official Python SDK: what is answered becomes a record, and nothing else does."""
import json
import time

import openai
import pytest

import harness

CONSENT = {"publish": True, "licence": "CC-BY-4.0", "scope": ["train", "eval"]}
HEADER = {"X-Commons-Consent": "publish; licence=CC-BY-4.0; scope=train,eval"}
ASK = [{"role": "user", "content": "Name one colour of the rainbow."}]


@pytest.fixture(scope="module")
def sharing():
    """A node whose owner agreed that requests share."""
    with harness.Node(model="smollm2") as node:
        loam(node, "share", "consent", "--licence", "CC-BY-4.0,CC0-1.0", "-y")
        yield node


def loam(node, *arguments, code=0):
    ran = harness.run_loam(*arguments, home=node.home, url=node.url, env={"LOAM_API_KEY": node.token()})
    assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
    return ran.stdout


def sdk(node, key=None):
    return openai.OpenAI(base_url=node.url + "/v1", api_key=key or node.token(), max_retries=0)


def submissions(node):
    return json.loads(node.get("/loam/v1/share", headers=node.owner())[1])["submissions"]


def queued_text(node, submission):
    return json.loads(node.get(f"/loam/v1/share/{submission}", headers=node.owner())[1])["body"]["messages"]


def check_told(node, commons, header):
    """What the reply says is what is queued, once."""
    assert commons["submission"] == header and commons["state"] == "queued" and set(commons) == {"submission", "state", "publishes_at"}
    (queued,) = [one for one in submissions(node) if one["submission"] == header]
    assert queued["publishes_at"] == commons["publishes_at"] and queued["licence"] == "CC-BY-4.0" and queued["scope"] == ["train", "eval"]
    return queued


def test_a_chat_answer_is_shared_with_the_system_prompt_that_the_template_added(sharing, schemas):
    raw = sdk(sharing).chat.completions.with_raw_response.create(
        model="smollm2", messages=ASK, max_tokens=12, temperature=0, extra_body={"commons": CONSENT})
    schemas.check("CreateChatCompletionResponse", json.loads(raw.content))
    reply = raw.parse()
    check_told(sharing, reply.model_extra["commons"], raw.headers["x-commons-submission"])
    system, user, assistant = queued_text(sharing, reply.model_extra["commons"]["submission"])
    # The starter model's template names it. The same text, sent as a system message, gives the same answer.
    assert system["role"] == "system" and system["origin"] == "unknown" and "SmolLM" in system["content"]
    assert user == {**ASK[0], "origin": "human"}
    assert assistant == {"role": "assistant", "content": reply.choices[0].message.content, "origin": "model"}
    kept = json.loads(sharing.get(f"/loam/v1/answers/{reply.id}", headers=sharing.owner())[1])
    assert kept["template_system"] == system["content"]
    explicit = sdk(sharing).chat.completions.create(
        model="smollm2", messages=[{"role": "system", "content": system["content"]}, *ASK], max_tokens=12, temperature=0)
    again = json.loads(sharing.get(f"/loam/v1/answers/{explicit.id}", headers=sharing.owner())[1])
    assert again["prompt_tokens"] == kept["prompt_tokens"] and "template_system" not in again
    preview = json.loads(loam(sharing, "share", reply.id, "--preview", "--json"))
    assert preview["body"]["messages"][0] == system and preview["system_from_template"] is True
    assert "added by the model's chat template" in loam(sharing, "share", reply.id, "--preview")


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_names_its_submission_before_the_answer_is_known(sharing, schemas, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    with sdk(sharing).chat.completions.with_streaming_response.create(
            model="smollm2", messages=ASK, max_tokens=12, stream=True, extra_headers=HEADER, **options) as raw:
        header = raw.headers["x-commons-submission"]
        lines = [line[6:] for line in raw.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    for chunk in chunks:
        schemas.check("CreateChatCompletionStreamResponse", chunk)
    assert [index for index, chunk in enumerate(chunks) if "commons" in chunk] == [len(chunks) - 1]
    check_told(sharing, chunks[-1]["commons"], header)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert queued_text(sharing, header)[-1]["content"] == text
    assert (chunks[-1]["choices"] == []) is usage


def test_the_sdks_own_stream_ends_as_ever(sharing):
    chunks = list(sdk(sharing).chat.completions.create(
        model="smollm2", messages=ASK, max_tokens=12, stream=True, extra_body={"commons": CONSENT}))
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].model_extra["commons"]["state"] == "queued"


def test_a_completion_is_shared_as_a_prompt_and_its_answer(sharing, schemas):
    raw = sdk(sharing).completions.with_raw_response.create(
        model="smollm2", prompt="One, two,", max_tokens=6, extra_headers=HEADER)
    schemas.check("CreateCompletionResponse", json.loads(raw.content))
    reply = raw.parse()
    check_told(sharing, reply.model_extra["commons"], raw.headers["x-commons-submission"])
    assert queued_text(sharing, raw.headers["x-commons-submission"]) == [
        {"role": "user", "content": "One, two,", "origin": "human"},
        {"role": "assistant", "content": reply.choices[0].text, "origin": "model"}]


def test_what_was_shared_can_be_taken_back_or_published(sharing):
    first, second = (sdk(sharing).chat.completions.create(
        model="smollm2", messages=ASK, max_tokens=4, extra_body={"commons": CONSENT}).model_extra["commons"]["submission"] for _ in "ab")
    loam(sharing, "share", "--cancel", first)
    assert first not in [one["submission"] for one in submissions(sharing)]
    status, published = sharing.post(f"/loam/v1/share/{second}/now", {}, headers=sharing.owner())
    assert status == 200 and published["record"].startswith("loam1")
    assert sharing.request("GET", f"/log/body/{published['record']}")[0] == 200


def test_who_may_not_share_gets_no_answer_and_without_consent_all_is_private(sharing):
    before = len(submissions(sharing))
    _, key = sharing.post("/loam/v1/keys", {"label": "reader", "scopes": ["infer"]}, headers=sharing.owner())
    _, publisher = sharing.post("/loam/v1/keys", {"label": "writer", "scopes": ["infer", "publish"]}, headers=sharing.owner())
    ask = lambda key, **extra: sdk(sharing, key).chat.completions.create(  # noqa: E731
        model="smollm2", messages=ASK, max_tokens=4, extra_body=extra)
    for secret in (key["key"], "local"):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(secret, commons=CONSENT)
        assert refused.value.code == "missing_scope"
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(publisher["key"], commons={**CONSENT, "licence": "Apache-2.0"})
    assert refused.value.code == "outside_standing_consent"
    for commons, param in (({**CONSENT, "licence": "CC-BY-NC-4.0"}, "commons.licence"), ({**CONSENT, "now": True}, "commons"),
                           ({"publish": True}, "commons.licence"), ("publish", "commons")):
        with pytest.raises(openai.BadRequestError) as refused:
            ask(publisher["key"], commons=commons)
        assert refused.value.param == param
    with pytest.raises(openai.BadRequestError) as refused:
        ask(publisher["key"], commons=CONSENT, n=2)
    assert refused.value.param == "n"
    for extra in ({}, {"commons": {"publish": False}}):
        assert "commons" not in (ask(publisher["key"], **extra).model_extra or {})
    assert len(submissions(sharing)) == before
    assert ask(publisher["key"], commons=CONSENT).model_extra["commons"]["state"] == "queued"
    with pytest.raises(openai.BadRequestError):
        sdk(sharing).embeddings.create(model="smollm2", input="a", extra_body={"commons": CONSENT})


def test_a_client_that_leaves_shares_nothing(sharing):
    before = len(submissions(sharing))
    stream = sdk(sharing).chat.completions.create(
        model="smollm2", messages=ASK, max_tokens=2000, stream=True, extra_body={"commons": CONSENT, "ignore_eos": True})
    next(iter(stream))
    assert stream.response.headers["x-commons-submission"].startswith("share-")
    stream.close()
    for _ in range(200):  # until the engine has let go of it
        loaded = json.loads(sharing.get("/loam/v1/ps", headers=sharing.owner())[1])
        if not any(model.get("running") for model in loaded.get("models", [])):
            break
        time.sleep(0.05)
    assert len(submissions(sharing)) == before


def test_the_owner_agrees_once_and_may_take_it_back():
    with harness.Node(fake_step_ms=1) as node:
        client = sdk(node)
        ask = lambda: client.chat.completions.create(model="fake", messages=ASK, max_tokens=4, extra_body={"commons": CONSENT})  # noqa: E731
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask()
        assert refused.value.code == "no_standing_consent" and "loam share consent" in str(refused.value)
        loam(node, "share", "consent", code=5)  # nobody could be asked
        assert json.loads(loam(node, "share", "consent", "--show", "--json")) == {"standing": None}
        shown = harness.run_loam("share", "consent", "--scope", "eval", home=node.home, url=node.url, env={"LOAM_API_KEY": node.token()}).stdout
        for words in ("An example", "[email]", "for ever", "you are not asked again", "Scope: eval."):
            assert words in " ".join(shown.split()), shown
        given = json.loads(loam(node, "share", "consent", "-y", "--scope", "eval", "--json"))["standing"]
        assert given["licences"] == ["CC-BY-4.0"] and given["scope"] == ["eval"]
        with pytest.raises(openai.PermissionDeniedError):
            ask()  # it wants train too
        only_eval = client.completions.create(model="fake", prompt="x", max_tokens=4,
                                              extra_body={"commons": {**CONSENT, "scope": ["eval"]}})
        assert only_eval.model_extra["commons"]["state"] == "queued"
        assert "No standing consent" in loam(node, "share", "consent", "--withdraw")
        with pytest.raises(openai.PermissionDeniedError):
            ask()
