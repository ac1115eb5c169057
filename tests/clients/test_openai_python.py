"""The official Python SDK, unchanged, against a real node; every body and chunk is checked against OpenAI's schemas."""
import base64
import json
import math
import struct

import httpx
import openai
import pytest


class Recorder(httpx.HTTPTransport):
    """Keeps the raw bytes of each reply, so that what the SDK parsed can be validated as it was sent."""

    def __init__(self):
        super().__init__()
        self.requests = 0
        self.bodies = []

    def handle_request(self, request):
        self.requests += 1
        reply = super().handle_request(request)
        body = b"".join(reply.stream)
        reply.close()
        self.bodies.append(body)
        headers = [(k, v) for k, v in reply.headers.raw if k.lower() not in (b"transfer-encoding",)]
        return httpx.Response(reply.status_code, headers=headers, content=body)


def connect(node, **options):
    recorder = Recorder()
    client = openai.OpenAI(base_url=node.url + "/v1", api_key="local", http_client=httpx.Client(transport=recorder),
                           **options)
    return client, recorder


@pytest.fixture
def client(node):
    return connect(node)


def sse_objects(raw):
    lines = [line for line in raw.decode().split("\n") if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line[6:]) for line in lines[:-1]]


ASK = [{"role": "user", "content": "Name one colour of the rainbow."}]


def test_lists_and_retrieves_models(client, schemas):
    sdk, seen = client
    listed = sdk.models.list()
    assert [m.id for m in listed.data] == ["smollm2"]
    schemas.check("ListModelsResponse", json.loads(seen.bodies[-1]))
    assert sdk.models.retrieve("smollm2").object == "model"
    schemas.check("Model", json.loads(seen.bodies[-1]))


def test_chat_answers(client, schemas):
    sdk, seen = client
    reply = sdk.chat.completions.create(model="smollm2", messages=ASK, max_tokens=24, temperature=0)
    schemas.check("CreateChatCompletionResponse", json.loads(seen.bodies[-1]))
    assert reply.choices[0].message.content.strip()
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.completion_tokens <= 24
    assert reply._request_id.startswith("req_")
    assert reply.system_fingerprint


def test_chat_streams_the_same_text_as_it_answers_whole(client, schemas):
    sdk, seen = client
    options = dict(model="smollm2", messages=ASK, max_tokens=32, temperature=0)
    whole = sdk.chat.completions.create(**options).choices[0].message.content
    text, finish, usage = "", None, None
    for chunk in sdk.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}):
        if chunk.usage:
            usage = chunk.usage
            assert chunk.choices == []
            continue
        text += chunk.choices[0].delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
    assert text == whole
    assert finish in ("stop", "length")
    assert usage.completion_tokens > 0
    chunks = sse_objects(seen.bodies[-1])
    for chunk in chunks:
        schemas.check("CreateChatCompletionStreamResponse", chunk)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(client):
    sdk, _ = client
    ask = lambda seed: sdk.chat.completions.create(  # noqa: E731
        model="smollm2", messages=[{"role": "user", "content": "Write a sentence about a river."}], max_tokens=30,
        temperature=1.0, seed=seed).choices[0].message.content
    assert ask(7) == ask(7)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_n_choices_differ(client, schemas):
    sdk, seen = client
    reply = sdk.chat.completions.create(model="smollm2", messages=ASK, n=4, max_tokens=20, temperature=1.5, seed=1)
    schemas.check("CreateChatCompletionResponse", json.loads(seen.bodies[-1]))
    assert sorted(choice.index for choice in reply.choices) == [0, 1, 2, 3]
    assert len({choice.message.content for choice in reply.choices}) > 1


def test_chat_logprobs_are_logprobs(client, schemas):
    sdk, seen = client
    reply = sdk.chat.completions.create(model="smollm2", messages=ASK, max_tokens=12, temperature=0, logprobs=True,
                                        top_logprobs=5)
    schemas.check("CreateChatCompletionResponse", json.loads(seen.bodies[-1]))
    content = reply.choices[0].logprobs.content
    assert content
    for token in content:
        assert len(token.top_logprobs) == 5
        values = [top.logprob for top in token.top_logprobs]
        assert values == sorted(values, reverse=True)
        assert sum(math.exp(v) for v in values) <= 1 + 1e-3
        assert math.isclose(token.logprob, values[0], abs_tol=1e-5)  # greedy takes the best
    text = b"".join(bytes(token.bytes) for token in content).decode()
    assert text == reply.choices[0].message.content


def test_streamed_logprobs_equal_whole_ones(client):
    sdk, _ = client
    options = dict(model="smollm2", messages=ASK, max_tokens=10, temperature=0, logprobs=True, top_logprobs=2)
    whole = [t.token for t in sdk.chat.completions.create(**options).choices[0].logprobs.content]
    streamed = []
    for chunk in sdk.chat.completions.create(**options, stream=True):
        if chunk.choices and chunk.choices[0].logprobs:
            streamed += [t.token for t in chunk.choices[0].logprobs.content or []]
    assert streamed == whole


@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings_end_the_answer_and_never_show(client, stream):
    sdk, _ = client
    options = dict(model="smollm2", prompt="1, 2, 3, 4, 5, 6, 7,", max_tokens=40, temperature=0)
    free = sdk.completions.create(**options).choices[0].text
    stop = free[5:8]
    if stream:
        chunks = list(sdk.completions.create(**options, stop=[stop], stream=True))
        text = "".join(c.choices[0].text for c in chunks if c.choices)
        finish = [c.choices[0].finish_reason for c in chunks if c.choices][-1]
    else:
        choice = sdk.completions.create(**options, stop=stop).choices[0]
        text, finish = choice.text, choice.finish_reason
    assert text == free[:free.index(stop)]
    assert finish == "stop"


def test_completions_take_all_four_prompt_shapes(client, schemas, node):
    sdk, seen = client
    _, tokens = node.post("/tokenize", {"prompt": "The sky is", "model": "smollm2"})
    texts = set()
    for prompt in ("The sky is", tokens["tokens"]):
        reply = sdk.completions.create(model="smollm2", prompt=prompt, max_tokens=6, temperature=0)
        schemas.check("CreateCompletionResponse", json.loads(seen.bodies[-1]))
        texts.add(reply.choices[0].text)
    for prompt in (["The sky is", "Snow is"], [tokens["tokens"], tokens["tokens"]]):
        reply = sdk.completions.create(model="smollm2", prompt=prompt, max_tokens=6, temperature=0)
        schemas.check("CreateCompletionResponse", json.loads(seen.bodies[-1]))
        assert [choice.index for choice in reply.choices] == [0, 1]
        texts.add(reply.choices[0].text)
    assert len(texts) == 1


def test_completions_echo_with_logprobs_scores_the_prompt(client, schemas):
    sdk, seen = client
    reply = sdk.completions.create(model="smollm2", prompt="The capital of France is Paris", max_tokens=1, echo=True,
                                   logprobs=3, temperature=0)
    schemas.check("CreateCompletionResponse", json.loads(seen.bodies[-1]))
    choice = reply.choices[0]
    assert choice.text.startswith("The capital of France is Paris")
    found = choice.logprobs
    assert len(found.tokens) == len(found.token_logprobs) == len(found.top_logprobs) == len(found.text_offset)
    assert found.token_logprobs[0] == 0  # there is none; the schema wants a number
    assert all(value <= 0 for value in found.token_logprobs[1:])
    assert "".join(found.tokens) == choice.text
    for offset, token in zip(found.text_offset, found.tokens):
        assert choice.text[offset:].startswith(token)
    only = sdk.completions.create(model="smollm2", prompt="The capital of France is Paris", max_tokens=0, echo=True,
                                  logprobs=1)
    assert only.choices[0].text == "The capital of France is Paris"


def test_completions_stream(client, schemas):
    sdk, seen = client
    options = dict(model="smollm2", prompt="Once upon a time", max_tokens=16, temperature=0)
    whole = sdk.completions.create(**options).choices[0].text
    text = "".join(c.choices[0].text for c in sdk.completions.create(**options, stream=True) if c.choices)
    assert text == whole
    for chunk in sse_objects(seen.bodies[-1]):
        # The schema describes the whole reply only: in a stream, all but the last chunk have null here.
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        schemas.check("CreateCompletionResponse", chunk)


def test_embeddings_base64_and_float_agree(client, schemas):
    sdk, seen = client
    texts = ["A cat sits on the mat.", "The stock market fell today."]
    by_default = sdk.embeddings.create(model="smollm2", input=texts)  # the SDK asks for base64 by itself
    raw = json.loads(seen.bodies[-1])
    packed = base64.b64decode(raw["data"][0]["embedding"])
    as_float = sdk.embeddings.create(model="smollm2", input=texts, encoding_format="float")
    schemas.check("CreateEmbeddingResponse", json.loads(seen.bodies[-1]))
    vector = as_float.data[0].embedding
    assert len(vector) == 576 and len(packed) == 4 * 576
    assert struct.unpack("<576f", packed) == pytest.approx(vector, abs=1e-6)
    assert by_default.data[1].embedding == pytest.approx(as_float.data[1].embedding, abs=1e-5)
    assert math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-4)
    assert as_float.usage.prompt_tokens > 5
    single = sdk.embeddings.create(model="smollm2", input=texts[0], encoding_format="float")
    assert single.data[0].embedding == pytest.approx(vector, abs=1e-4)


def refused(kind, call, seen, schemas):
    with pytest.raises(kind) as caught:
        call()
    body = json.loads(seen.bodies[-1])
    schemas.check("ErrorResponse", body)
    return caught.value


def test_errors_have_their_classes(client, schemas):
    sdk, seen = client
    chat = sdk.chat.completions.create
    error = refused(openai.NotFoundError, lambda: chat(model="nobody", messages=ASK), seen, schemas)
    assert error.code == "model_not_found"
    error = refused(openai.BadRequestError, lambda: chat(model="smollm2", messages=[]), seen, schemas)
    assert error.param == "messages"
    error = refused(openai.BadRequestError, lambda: chat(model="smollm2", messages=ASK, temperature=9), seen, schemas)
    assert error.param == "temperature"
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    error = refused(openai.BadRequestError, lambda: chat(model="smollm2", messages=ASK, tools=[tool]), seen, schemas)
    assert error.param == "tools"
    error = refused(openai.BadRequestError, lambda: chat(model="smollm2", messages=ASK, n=10**9), seen, schemas)
    assert error.param == "n"


def test_an_unhonoured_field_is_refused_and_an_unknown_one_ignored(client, schemas):
    sdk, seen = client
    chat = sdk.chat.completions.create
    error = refused(openai.BadRequestError, lambda: chat(
        model="smollm2", messages=ASK, response_format={"type": "json_object"}), seen, schemas)
    assert error.param == "response_format"
    assert chat(model="smollm2", messages=ASK, max_tokens=2, extra_body={"favourite_cheese": "brie"}).choices


def test_too_long_a_prompt_is_refused_with_the_numbers(client, schemas):
    sdk, seen = client
    error = refused(openai.BadRequestError, lambda: sdk.chat.completions.create(
        model="smollm2", messages=[{"role": "user", "content": "word " * 9000}]), seen, schemas)
    assert error.code == "context_length_exceeded"
    assert any(character.isdigit() for character in error.message)


def test_a_full_queue_is_429_and_the_sdk_retries(fake, schemas):
    """More requests than sequences and queue: some are refused, and the SDK's retries carry them all through."""
    from concurrent.futures import ThreadPoolExecutor
    impatient, seen = connect(fake, max_retries=0)
    ask = lambda sdk: sdk.completions.create(model="fake", prompt="go on", max_tokens=60,  # noqa: E731
                                             extra_body={"ignore_eos": True})

    def attempt(_):
        try:
            return ask(impatient).usage.completion_tokens
        except openai.RateLimitError as error:
            assert error.response.headers["retry-after"]
            return None

    with ThreadPoolExecutor(60) as pool:
        results = list(pool.map(attempt, range(60)))
    assert None in results and 60 in results
    patient, _ = connect(fake, max_retries=8)
    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(lambda _: ask(patient).usage.completion_tokens, range(40))) == [60] * 40


def test_a_wrong_key_is_401_and_a_real_one_is_known(node, schemas):
    import harness
    made = harness.run_loam("key", "new", "tester", "--scopes", "infer", "--json", home=node.home, url=node.url)
    assert made.returncode == 0, made.stderr
    secret = json.loads(made.stdout)["secret"]
    status, body = node.post("/loam/v1/keys", {"label": "x", "scopes": "infer"},
                             headers={"authorization": f"Bearer {secret}"})
    assert status == 403
    schemas.check("ErrorResponse", body)
    status, body = node.post("/loam/v1/keys", {"label": "x", "scopes": "infer"},
                             headers={"authorization": "Bearer wrong"})
    assert status == 401
    schemas.check("ErrorResponse", body)
