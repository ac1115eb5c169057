// Messages to bytes. The way back is protocol_parse.cc; the two are read side by side.
#include "engine/protocol.h"

#include "base/utf8.h"
#include "codec/cbor.h"
#include "codec/value.h"
#include "engine/columns.h"

namespace loam::engine::protocol {
namespace {

using codec::Array;
using codec::Object;
using codec::Value;

/// A text that certainly is UTF-8: a model file may name itself as it likes.
Value text(const std::string& raw) {
  return is_valid_utf8(raw) ? Value(raw) : Value(replace_invalid_utf8(raw));
}

/// An error's text within its limit, not cut inside a code point.
Value error_text(const std::string& raw) {
  if (raw.size() <= kErrorBytesMax) return text(raw);
  const std::string_view head = std::string_view(raw).substr(0, kErrorBytesMax);
  return text(std::string(head.substr(0, complete_utf8_prefix(head))));
}

Value texts(const std::vector<std::string>& raw) {
  Array out;
  for (const std::string& one : raw) out.push_back(text(one));
  return out;
}

Value tokens(const std::vector<TokenId>& ids) { return to_column<TokenId>(ids); }

Object error_members(const Error& error) {
  return {{"code", std::string(error_code_name(error.code))},
          {"message", error_text(error.message)},
          {"hint", error_text(error.hint)}};
}

Value model(const ModelInfo& info) {
  return Object{
      {"architecture", text(info.architecture)},
      {"description", text(info.description)},
      {"parameters", info.parameters},
      {"weight_bytes", info.weight_bytes},
      {"context_trained", info.context_trained},
      {"context", info.context},
      {"sequences_max", info.sequences_max},
      {"vocabulary", info.vocabulary},
      {"embedding_width", info.embedding_width},
      {"has_chat_template", info.has_chat_template},
      {"chat_template", text(info.chat_template)},
      {"bos", text(info.bos)},
      {"eos", text(info.eos)},
      {"pad", text(info.pad)},
      {"end_tokens", tokens(info.end_tokens)},
      {"adds_bos", info.adds_bos},
      {"engine_build", text(info.engine_build)},
      {"cpu_class", text(info.cpu_class)},
  };
}

Value sampling(const SamplingParams& params) {
  std::vector<TokenId> biased;
  std::vector<std::int64_t> biases;
  for (const auto& [token, bias] : params.logit_bias) {
    biased.push_back(token);
    biases.push_back(bias);
  }
  return Object{
      {"temperature", params.temperature},
      {"top_k", params.top_k},
      {"top_p", params.top_p},
      {"min_p", params.min_p},
      {"repetition_penalty", params.repetition_penalty},
      {"presence_penalty", params.presence_penalty},
      {"frequency_penalty", params.frequency_penalty},
      {"bias_token", tokens(biased)},
      {"bias", to_column<std::int64_t>(biases)},
  };
}

/// One function per message: its type and its fields.
struct Writer {
  Object operator()(const Hello& m) const { return {{"type", "hello"}, {"version", m.version}}; }

  Object operator()(const Adapter&) const { return {{"type", "adapter"}}; }
  Object operator()(const Load& m) const {
    return {{"type", "load"},
            {"context", m.options.context},
            {"sequences_max", m.options.sequences_max},
            {"queue_max", m.options.queue_max},
            {"threads", m.options.threads},
            {"chunk_tokens", m.options.chunk_tokens},
            {"fake", m.fake},
            {"fake_step_ms", m.fake_step_ms},
            {"memory_bytes_max", m.memory_bytes_max}};
  }
  Object operator()(const Loaded& m) const {
    return {{"type", "loaded"}, {"model", model(m.info)}};
  }
  Object operator()(const LoadFailed& m) const {
    Object out = error_members(m.error);
    out.emplace_back("type", "load_failed");
    return out;
  }

  Object operator()(const Generate& m) const {
    const GenerateRequest& r = m.request;
    Bytes seeds;
    for (const crypto::Digest& seed : r.choice_seeds)
      seeds.insert(seeds.end(), seed.begin(), seed.end());
    return {{"type", "generate"},
            {"id", r.id.value},
            {"prompt", tokens(r.prompt)},
            {"sampling", sampling(r.sampling)},
            {"seeds", std::move(seeds)},
            {"tokens_max", r.tokens_max},
            {"stop", texts(r.stop)},
            {"ignore_eos", r.ignore_eos},
            {"top_logprobs", r.top_logprobs},
            {"prompt_logprobs", r.prompt_logprobs}};
  }
  Object operator()(const Cancel& m) const { return {{"type", "cancel"}, {"id", m.id.value}}; }

  Object operator()(const RequestEvent& m) const {
    Object out = std::visit(*this, m.event);
    out.emplace_back("type", "event");
    out.emplace_back("id", m.id.value);
    return out;
  }
  Object operator()(const PromptScored& e) const {
    return {{"kind", "prompt_scored"}, {"tokens", to_table(e.tokens)}};
  }
  Object operator()(const Delta& e) const {
    return {{"kind", "delta"},
            {"choice", e.choice},
            {"text", text(e.text)},
            {"tokens", to_table(e.tokens)}};
  }
  Object operator()(const ChoiceDone& e) const {
    return {{"kind", "choice_done"},
            {"choice", e.choice},
            {"reason", e.reason == FinishReason::kStop ? "stop" : "length"},
            {"tokens", tokens(e.tokens)},
            {"lp16", to_column<std::int16_t>(e.lp16)}};
  }
  Object operator()(const RequestDone& e) const {
    return {{"kind", "done"},
            {"prompt_tokens", e.prompt_tokens},
            {"cached_tokens", e.cached_tokens},
            {"output_tokens", e.output_tokens},
            {"queued_ms", e.queued_ms},
            {"prompt_ms", e.prompt_ms},
            {"generate_ms", e.generate_ms}};
  }
  Object operator()(const RequestFailed& e) const {
    Object out = error_members(e.error);
    out.emplace_back("kind", "failed");
    return out;
  }

  Object operator()(const Tokenize& m) const {
    return {{"type", "tokenize"},
            {"id", m.id.value},
            {"text", text(m.text)},
            {"parse_special", m.special == SpecialTokens::kParse},
            {"add_bos", m.add_bos}};
  }
  Object operator()(const Detokenize& m) const {
    return {{"type", "detokenize"}, {"id", m.id.value}, {"tokens", tokens(m.tokens)}};
  }
  Object operator()(const Render& m) const {
    Array messages;
    for (const ChatMessage& one : m.messages)
      messages.push_back(Object{
          {"role", text(one.role)}, {"content", text(one.content)}, {"name", text(one.name)}});
    return {{"type", "render"},
            {"id", m.id.value},
            {"messages", std::move(messages)},
            {"add_generation_prompt", m.add_generation_prompt}};
  }
  Object operator()(const Embed& m) const {
    Array inputs;
    for (const std::vector<TokenId>& input : m.inputs) inputs.push_back(tokens(input));
    return {{"type", "embed"}, {"id", m.id.value}, {"inputs", std::move(inputs)}};
  }

  Object operator()(const CallStarted& m) const {
    return {{"type", "call_started"}, {"id", m.id.value}};
  }
  Object operator()(const Tokenized& m) const {
    return {{"type", "tokenized"}, {"id", m.id.value}, {"tokens", tokens(m.tokens)}};
  }
  Object operator()(const Detokenized& m) const {
    const ByteView bytes = as_bytes(m.bytes);
    return {
        {"type", "detokenized"}, {"id", m.id.value}, {"bytes", Bytes(bytes.begin(), bytes.end())}};
  }
  Object operator()(const Rendered& m) const {
    return {{"type", "rendered"},
            {"id", m.id.value},
            {"text", text(m.chat.text)},
            {"tokens", tokens(m.chat.tokens)},
            {"stop", texts(m.chat.stop)}};
  }
  Object operator()(const Embedded& m) const {
    Array vectors;
    std::vector<std::uint32_t> counts;
    for (const Embedding& one : m.embeddings) {
      vectors.push_back(to_column<float>(one.vector));
      counts.push_back(one.tokens);
    }
    return {{"type", "embedded"},
            {"id", m.id.value},
            {"vectors", std::move(vectors)},
            {"tokens", to_column<std::uint32_t>(counts)}};
  }
  Object operator()(const CallFailed& m) const {
    Object out = error_members(m.error);
    out.emplace_back("type", "call_failed");
    out.emplace_back("id", m.id.value);
    return out;
  }

  Object operator()(const Stats& m) const {
    return {{"type", "stats"},
            {"running", m.stats.running},
            {"waiting", m.stats.waiting},
            {"prompt_tokens", m.stats.prompt_tokens},
            {"output_tokens", m.stats.output_tokens},
            {"steps", m.stats.steps},
            {"context_used", m.stats.context_used},
            {"context_total", m.stats.context_total}};
  }
  Object operator()(const Shutdown&) const { return {{"type", "shutdown"}}; }
};

}  // namespace

Bytes encode(const ToWorker& message) { return codec::to_cbor(std::visit(Writer{}, message)); }
Bytes encode(const FromWorker& message) { return codec::to_cbor(std::visit(Writer{}, message)); }

bool is_last(const Event& event) {
  return std::holds_alternative<RequestDone>(event) || std::holds_alternative<RequestFailed>(event);
}

}  // namespace loam::engine::protocol
