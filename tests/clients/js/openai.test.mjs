// The official JavaScript SDK, unchanged, against the node at LOAM_URL; bodies and chunks are checked against OpenAI's schemas.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import OpenAI from "openai";
import Ajv from "ajv/dist/2020.js";

const url = process.env.LOAM_URL;
const model = "smollm2";
const ask = [{ role: "user", content: "Name one colour of the rainbow." }];

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "oai", ...JSON.parse(readFileSync(process.env.LOAM_SCHEMAS)) });
function check(name, body) {
  const validate = ajv.getSchema(`oai#/components/schemas/${name}`);
  assert.ok(validate(body), `${name}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 500)}`);
}

// Keeps what the server really sent.
const bodies = [];
let requests = 0;
async function recordingFetch(input, init) {
  requests += 1;
  const reply = await fetch(input, init);
  bodies.push(await reply.clone().text());
  return reply;
}
const sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: "local", fetch: recordingFetch });
const last = () => JSON.parse(bodies.at(-1));
const frames = () => bodies.at(-1).split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));

test("lists and retrieves models", async () => {
  const listed = await sdk.models.list();
  assert.deepEqual(listed.data.map((m) => m.id), [model]);
  check("ListModelsResponse", last());
  assert.equal((await sdk.models.retrieve(model)).id, model);
  check("Model", last());
});

test("answers a chat", async () => {
  const { data, request_id } = await sdk.chat.completions.create({ model, messages: ask, max_tokens: 20, temperature: 0 }).withResponse();
  check("CreateChatCompletionResponse", last());
  assert.ok(data.choices[0].message.content.trim());
  assert.match(request_id, /^req_/);
});

test("streams a chat with usage and [DONE]", async () => {
  let text = "", usage = null;
  const stream = await sdk.chat.completions.create({ model, messages: ask, max_tokens: 20, temperature: 0, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(frames().at(-1), "[DONE]");
  for (const frame of frames().slice(0, -1)) check("CreateChatCompletionStreamResponse", JSON.parse(frame));
  const whole = await sdk.chat.completions.create({ model, messages: ask, max_tokens: 20, temperature: 0 });
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test("the SDK's stream helper assembles the answer", async () => {
  const runner = sdk.chat.completions.stream({ model, messages: ask, max_tokens: 12, temperature: 0 });
  assert.ok((await runner.finalContent()).length > 0);
});

test("n, logprobs, seed and stop", async () => {
  const options = { model, messages: ask, n: 3, seed: 5, max_tokens: 10, temperature: 1.2, logprobs: true, top_logprobs: 3 };
  const first = await sdk.chat.completions.create(options);
  check("CreateChatCompletionResponse", last());
  assert.equal(first.choices.length, 3);
  assert.equal(first.choices[0].logprobs.content[0].top_logprobs.length, 3);
  const again = await sdk.chat.completions.create(options);
  assert.deepEqual(again.choices.map((c) => c.message.content), first.choices.map((c) => c.message.content));
  const free = (await sdk.completions.create({ model, prompt: "a b c d e f", max_tokens: 20, temperature: 0 })).choices[0].text;
  const stopped = await sdk.completions.create({ model, prompt: "a b c d e f", max_tokens: 20, temperature: 0, stop: [free.slice(3, 6)] });
  check("CreateCompletionResponse", last());
  assert.ok(!stopped.choices[0].text.includes(free.slice(3, 6)));
});

test("completions echo and stream", async () => {
  const echoed = await sdk.completions.create({ model, prompt: "Hello there", max_tokens: 1, echo: true, logprobs: 2, temperature: 0 });
  check("CreateCompletionResponse", last());
  assert.ok(echoed.choices[0].text.startsWith("Hello there"));
  assert.equal(echoed.choices[0].logprobs.token_logprobs[0], 0); // there is none; the schema wants a number
  let text = "";
  for await (const chunk of await sdk.completions.create({ model, prompt: "Hello there", max_tokens: 8, temperature: 0, stream: true })) text += chunk.choices[0]?.text ?? "";
  for (const frame of frames().slice(0, -1)) {
    const chunk = JSON.parse(frame);
    for (const choice of chunk.choices) choice.finish_reason ??= "stop"; // the schema describes the whole reply only
    check("CreateCompletionResponse", chunk);
  }
  assert.ok(text.length > 0);
});

test("embeddings come as base64 unless floats are asked for", async () => {
  const packed = await sdk.embeddings.create({ model, input: "a cat" });
  assert.equal(typeof last().data[0].embedding, "string");
  const floats = await sdk.embeddings.create({ model, input: "a cat", encoding_format: "float" });
  check("CreateEmbeddingResponse", last());
  assert.equal(packed.data[0].embedding.length, 576);
  packed.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - floats.data[0].embedding[i]) < 1e-4));
});

test("errors have their classes and bodies", async () => {
  await assert.rejects(sdk.chat.completions.create({ model: "nobody", messages: ask }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
  check("ErrorResponse", last());
  await assert.rejects(sdk.chat.completions.create({ model, messages: ask, top_p: 7 }), (e) => e instanceof OpenAI.BadRequestError && e.param === "top_p");
  check("ErrorResponse", last());
  await assert.rejects(sdk.chat.completions.create({ model, messages: [{ role: "user", content: "word ".repeat(9000) }] }), (e) => e.code === "context_length_exceeded");
  check("ErrorResponse", last());
});

test("an aborted stream ends without an error on the next request", async () => {
  const stream = await sdk.chat.completions.create({ model, messages: ask, max_tokens: 500, stream: true }, { fetchOptions: {} });
  stream.controller.abort();
  const next = await sdk.chat.completions.create({ model, messages: ask, max_tokens: 2 });
  assert.equal(next.choices.length, 1);
});
