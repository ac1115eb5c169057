// Bytes to messages. The way there is protocol.cc; the two are read side by side.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/format.h"
#include "codec/cbor.h"
#include "engine/columns.h"
#include "engine/fields.h"
#include "engine/protocol.h"

namespace loam::engine::protocol {
namespace {

constexpr std::uint64_t kIdMax = std::numeric_limits<std::int64_t>::max();
/// What one message may be made of: a long conversation has the most values, 7 for each of its
/// messages; the nesting of our own messages is at most 4.
constexpr codec::CborLimits kLimits{kFrameBytesMax, 8, 1'000'000};

RequestId take_request(Fields& fields) { return RequestId{fields.number("id", kIdMax)}; }
CallId take_call(Fields& fields) { return CallId{fields.number("id", kIdMax)}; }

std::vector<TokenId> take_tokens(Fields& fields, std::string_view name) {
  auto ids = take_column<TokenId>(fields, name, kTokensMax);
  if (std::ranges::any_of(ids, [](TokenId id) { return id < 0; }))
    fields.refuse(name, "a negative token");
  return ids;
}

/// A text as long as a message lets it be.
std::string take_text(Fields& fields, std::string_view name) {
  return fields.text(name, kFrameBytesMax);
}

std::vector<std::string> take_texts(Fields& fields, std::string_view name, std::size_t items_max) {
  std::vector<std::string> out;
  for (const codec::Value& item : fields.array(name, items_max)) {
    const std::string* text = item.as_string();
    if (text == nullptr) {
      fields.refuse(name, "an item that is no text");
      break;
    }
    out.push_back(*text);
  }
  return out;
}

Error take_error(Fields& fields) {
  static constexpr ErrorCode kCodes[] = {
      ErrorCode::kInvalidArgument,  ErrorCode::kNotFound,          ErrorCode::kAlreadyExists,
      ErrorCode::kPermissionDenied, ErrorCode::kResourceExhausted, ErrorCode::kUnavailable,
      ErrorCode::kDeadlineExceeded, ErrorCode::kCorrupt,           ErrorCode::kUnsupported,
      ErrorCode::kCancelled,        ErrorCode::kInternal};
  const std::string name = fields.text("code", 64);
  const auto* code = std::ranges::find(kCodes, name, error_code_name);
  if (code == std::end(kCodes)) {
    fields.refuse("code", "no known error code");
    return {};
  }
  return {*code, fields.text("message", kErrorBytesMax), fields.text("hint", kErrorBytesMax)};
}

ModelInfo take_model(Fields& fields) {
  Fields f(fields.map("model"), "model");
  ModelInfo m;
  m.architecture = f.text("architecture", 1024);
  m.description = f.text("description", 4096);
  m.parameters = f.number("parameters", kIdMax);
  m.weight_bytes = f.number("weight_bytes", kIdMax);
  m.context_trained = f.number32("context_trained");
  m.context = f.number32("context", kTokensMax);
  m.sequences_max = f.number32("sequences_max");
  m.vocabulary = f.number32("vocabulary", kTokensMax);
  m.embedding_width = f.number32("embedding_width");
  m.has_chat_template = f.flag("has_chat_template");
  m.chat_template = f.text("chat_template", 4U << 20);
  m.bos = f.text("bos", 65'536);
  m.eos = f.text("eos", 65'536);
  m.pad = f.text("pad", 65'536);
  m.end_tokens = take_tokens(f, "end_tokens");
  m.adds_bos = f.flag("adds_bos");
  m.engine_build = f.text("engine_build", 1024);
  m.cpu_class = f.text("cpu_class", 1024);
  if (m.context == 0 || m.sequences_max == 0 || m.vocabulary == 0)
    f.refuse("context", "a model without context, sequences or vocabulary");
  fields.join(f);
  return m;
}

SamplingParams take_sampling(Fields& fields) {
  Fields f(fields.map("sampling"), "sampling");
  SamplingParams p;
  p.temperature = f.signed_number("temperature");
  p.top_k = f.signed_number("top_k");
  p.top_p = f.signed_number("top_p");
  p.min_p = f.signed_number("min_p");
  p.repetition_penalty = f.signed_number("repetition_penalty");
  p.presence_penalty = f.signed_number("presence_penalty");
  p.frequency_penalty = f.signed_number("frequency_penalty");
  const auto biased = take_tokens(f, "bias_token");
  const auto biases = take_column<std::int64_t>(f, "bias", kTokensMax);
  if (biased.size() != biases.size()) f.refuse("bias", "not one for each token");
  if (std::ranges::adjacent_find(biased, std::greater_equal<>()) != biased.end())
    f.refuse("bias_token", "not ascending");
  fields.join(f);
  for (std::size_t i = 0; fields.good() && i < biased.size(); ++i)
    p.logit_bias.emplace_back(biased[i], biases[i]);
  return p;
}

Load take_load(Fields& f) {
  Load m;
  m.options.context = f.number32("context");
  m.options.sequences_max = f.number32("sequences_max");
  m.options.queue_max = f.number32("queue_max");
  m.options.threads = f.number32("threads");
  m.options.chunk_tokens = f.number32("chunk_tokens");
  m.fake = f.flag("fake");
  m.fake_step_ms = f.number32("fake_step_ms", std::numeric_limits<std::int32_t>::max());
  m.memory_bytes_max = f.number("memory_bytes_max", kIdMax);
  return m;
}

Generate take_generate(Fields& f) {
  GenerateRequest r;
  r.id = take_request(f);
  r.prompt = take_tokens(f, "prompt");
  r.sampling = take_sampling(f);
  constexpr std::size_t kSeedBytes = sizeof(crypto::Digest);
  const Bytes& seeds = f.bytes("seeds", kChoicesMax * kSeedBytes);
  if (seeds.empty() || seeds.size() % kSeedBytes != 0)
    f.refuse("seeds", "not a whole number of seeds");
  for (std::size_t at = 0; f.good() && at < seeds.size(); at += kSeedBytes)
    std::copy_n(seeds.begin() + static_cast<std::ptrdiff_t>(at), kSeedBytes,
                r.choice_seeds.emplace_back().begin());
  r.tokens_max = f.number32("tokens_max");
  r.stop = take_texts(f, "stop", kStopsMax);
  r.ignore_eos = f.flag("ignore_eos");
  r.top_logprobs = f.number32("top_logprobs", kTopLogprobsMax);
  r.prompt_logprobs = f.flag("prompt_logprobs");
  return {std::move(r)};
}

ChoiceDone take_choice_done(Fields& f) {
  ChoiceDone e;
  e.choice = f.number32("choice");
  const std::string reason = f.text("reason", 16);
  if (reason != "stop" && reason != "length") f.refuse("reason", "neither stop nor length");
  e.reason = reason == "stop" ? FinishReason::kStop : FinishReason::kLength;
  e.tokens = take_tokens(f, "tokens");
  e.lp16 = take_column<std::int16_t>(f, "lp16", kTokensMax);
  if (e.lp16.size() != e.tokens.size()) f.refuse("lp16", "not one for each token");
  return e;
}

RequestDone take_done(Fields& f) {
  RequestDone e;
  e.prompt_tokens = f.number32("prompt_tokens");
  e.cached_tokens = f.number32("cached_tokens");
  e.output_tokens = f.number32("output_tokens");
  e.queued_ms = f.duration("queued_ms");
  e.prompt_ms = f.duration("prompt_ms");
  e.generate_ms = f.duration("generate_ms");
  return e;
}

RequestEvent take_event(Fields& f) {
  RequestEvent m;
  m.id = take_request(f);
  const std::string kind = f.text("kind", 32);
  if (kind == "prompt_scored") {
    m.event = PromptScored{take_table(f, "tokens")};
  } else if (kind == "delta") {
    Delta delta;
    delta.choice = f.number32("choice");
    delta.text = take_text(f, "text");
    delta.tokens = take_table(f, "tokens");
    m.event = std::move(delta);
  } else if (kind == "choice_done") {
    m.event = take_choice_done(f);
  } else if (kind == "done") {
    m.event = take_done(f);
  } else if (kind == "failed") {
    m.event = RequestFailed{take_error(f)};
  } else {
    f.refuse("kind", "no known kind of event");
  }
  return m;
}

Tokenize take_tokenize(Fields& f) {
  Tokenize m;
  m.id = take_call(f);
  m.text = take_text(f, "text");
  m.special = f.flag("parse_special") ? SpecialTokens::kParse : SpecialTokens::kPlainText;
  m.add_bos = f.flag("add_bos");
  return m;
}

Render take_render(Fields& f) {
  Render m;
  m.id = take_call(f);
  for (const codec::Value& item : f.array("messages", kMessagesMax)) {
    Fields one(item, "messages");
    ChatMessage message;
    message.role = one.text("role", kNameBytesMax);
    message.content = take_text(one, "content");
    message.name = one.text("name", kNameBytesMax);
    f.join(one);
    if (!f.good()) break;
    m.messages.push_back(std::move(message));
  }
  m.add_generation_prompt = f.flag("add_generation_prompt");
  return m;
}

/// The columns of a list of byte strings.
template <ColumnNumber T>
std::vector<std::vector<T>> take_lists(Fields& f, std::string_view name) {
  std::vector<std::vector<T>> out;
  for (const codec::Value& item : f.array(name, kEmbedInputsMax)) {
    const Bytes* bytes = item.as_bytes();
    auto numbers = bytes == nullptr ? std::nullopt : from_column<T>(*bytes);
    if (!numbers || numbers->size() > kTokensMax) {
      f.refuse(name, "an item that is no list of numbers");
      break;
    }
    out.push_back(std::move(*numbers));
  }
  return out;
}

Embed take_embed(Fields& f) {
  Embed m;
  m.id = take_call(f);
  m.inputs = take_lists<TokenId>(f, "inputs");
  return m;
}

Rendered take_rendered(Fields& f) {
  Rendered m;
  m.id = take_call(f);
  m.chat.text = take_text(f, "text");
  m.chat.tokens = take_tokens(f, "tokens");
  m.chat.stop = take_texts(f, "stop", kStopsMax);
  return m;
}

Embedded take_embedded(Fields& f) {
  Embedded m;
  m.id = take_call(f);
  auto vectors = take_lists<float>(f, "vectors");
  const auto counts = take_column<std::uint32_t>(f, "tokens", kEmbedInputsMax);
  if (counts.size() != vectors.size()) f.refuse("tokens", "not one for each vector");
  for (std::size_t i = 0; f.good() && i < vectors.size(); ++i) {
    if (!std::ranges::all_of(vectors[i], [](float x) { return std::isfinite(x); }))
      f.refuse("vectors", "a number that is not finite");
    m.embeddings.push_back({std::move(vectors[i]), counts[i]});
  }
  return m;
}

Stats take_stats(Fields& f) {
  Stats m;
  m.stats.running = f.number32("running");
  m.stats.waiting = f.number32("waiting");
  m.stats.prompt_tokens = f.number("prompt_tokens", kIdMax);
  m.stats.output_tokens = f.number("output_tokens", kIdMax);
  m.stats.steps = f.number("steps", kIdMax);
  m.stats.context_used = f.number32("context_used");
  m.stats.context_total = f.number32("context_total");
  return m;
}

Hello take_hello(Fields& f) { return {f.number32("version")}; }

/// The message of type `type`; empty if that side has none such.
std::optional<ToWorker> take(Fields& f, std::string_view type, const ToWorker*) {
  if (type == "hello") return take_hello(f);
  if (type == "adapter") return Adapter{};
  if (type == "load") return take_load(f);
  if (type == "generate") return take_generate(f);
  if (type == "cancel") return Cancel{take_request(f)};
  if (type == "tokenize") return take_tokenize(f);
  if (type == "detokenize") {
    const CallId id = take_call(f);
    return Detokenize{id, take_tokens(f, "tokens")};
  }
  if (type == "render") return take_render(f);
  if (type == "embed") return take_embed(f);
  if (type == "shutdown") return Shutdown{};
  return std::nullopt;
}

std::optional<FromWorker> take(Fields& f, std::string_view type, const FromWorker*) {
  if (type == "hello") return take_hello(f);
  if (type == "loaded") return Loaded{take_model(f)};
  if (type == "load_failed") return LoadFailed{take_error(f)};
  if (type == "event") return take_event(f);
  if (type == "call_started") return CallStarted{take_call(f)};
  if (type == "tokenized") {
    const CallId id = take_call(f);
    return Tokenized{id, take_tokens(f, "tokens")};
  }
  if (type == "detokenized") {
    const CallId id = take_call(f);
    return Detokenized{id, std::string(as_text(f.bytes("bytes", kFrameBytesMax)))};
  }
  if (type == "rendered") return take_rendered(f);
  if (type == "embedded") return take_embedded(f);
  if (type == "call_failed") {
    const CallId id = take_call(f);
    return CallFailed{id, take_error(f)};
  }
  if (type == "stats") return take_stats(f);
  return std::nullopt;
}

template <class Message>
Result<Message> parse(ByteView bytes) {
  const auto value = codec::parse_cbor(bytes, kLimits);
  if (!value) return fail(ErrorCode::kCorrupt, "worker message: " + value.error().message);
  Fields fields(*value, "of unknown type");
  const std::string type = fields.text("type", 32);
  LOAM_TRY(fields.good() ? Result<>() : fields.end());
  fields.rename(type);
  auto message = take(fields, type, static_cast<const Message*>(nullptr));
  if (!message)
    return fail(ErrorCode::kCorrupt, format("worker message: no type \"{}\" is known", type));
  LOAM_TRY(fields.end());
  return std::move(*message);
}

}  // namespace

Result<ToWorker> parse_to_worker(ByteView bytes) { return parse<ToWorker>(bytes); }
Result<FromWorker> parse_from_worker(ByteView bytes) { return parse<FromWorker>(bytes); }

}  // namespace loam::engine::protocol
