#include "cli/generation.h"

#include <algorithm>

#include "base/format.h"
#include "cli/interrupt.h"
#include "codec/json.h"

namespace loam::cli {
namespace {

void set_fields(codec::Value& body, const GenerationSettings& settings) {
  if (settings.temperature) body.set("temperature", *settings.temperature);
  if (settings.top_p) body.set("top_p", *settings.top_p);
  if (settings.min_p) body.set("min_p", *settings.min_p);
  if (settings.top_k) body.set("top_k", *settings.top_k);
  if (settings.seed) body.set("seed", *settings.seed);
  if (settings.max_tokens) body.set("max_tokens", *settings.max_tokens);
  if (!settings.stop.empty()) {
    codec::Array stop;
    for (const auto& text : settings.stop) stop.emplace_back(text);
    body.set("stop", std::move(stop));
  }
  body.set("stream", true);
  codec::Value options;
  options.set("include_usage", true);
  body.set("stream_options", std::move(options));
}

/// Takes the events of one stream.
class Reader {
 public:
  Reader(env::Clock& clock, const std::function<void(std::string_view)>& on_text)
      : clock_(clock), on_text_(on_text), began_ms_(clock.steady_ms()) {}

  bool take(const std::string& event) {
    if (event == "[DONE]") {
      complete_ = true;
      return true;
    }
    const auto chunk = codec::parse_json(event);
    if (!chunk) {
      error_ = {ErrorCode::kInternal, "the node sent a chunk that is not JSON", ""};
      return false;
    }
    if (const auto* error = chunk->find("error"); error != nullptr && !error->is_null()) {
      error_ = error_of_object(*error, ErrorCode::kUnavailable);
      return true;
    }
    if (answer_.id.empty()) answer_.id = text_at(*chunk, "id");
    if (answer_.model.empty()) answer_.model = text_at(*chunk, "model");
    if (const auto* usage = chunk->find("usage"); usage != nullptr && !usage->is_null()) {
      answer_.prompt_tokens = integer_at(*usage, "prompt_tokens");
      answer_.output_tokens = integer_at(*usage, "completion_tokens");
    }
    for (const auto* choice : items_at(*chunk, "choices")) take_choice(*choice);
    return true;
  }

  Result<GeneratedAnswer> finish(const Result<>& sent) {
    answer_.total_ms = static_cast<double>(clock_.steady_ms() - began_ms_);
    if (InterruptGuard::interrupted()) {
      answer_.finish_reason.clear();
      return answer_;
    }
    if (error_) return std::unexpected(*error_);
    if (!sent) return std::unexpected(sent.error());
    if (!complete_ && answer_.finish_reason.empty())
      return fail(ErrorCode::kUnavailable, "the node broke off the answer",
                  "`loam status` says whether it still runs");
    return answer_;
  }

 private:
  void take_choice(const codec::Value& choice) {
    const auto* delta = choice.find("delta");
    const std::string text =
        delta != nullptr ? text_at(*delta, "content") : text_at(choice, "text");
    if (const std::string reason = text_at(choice, "finish_reason"); !reason.empty())
      answer_.finish_reason = reason;
    if (text.empty()) return;
    if (answer_.text.empty())
      answer_.first_ms = static_cast<double>(clock_.steady_ms() - began_ms_);
    answer_.text += text;
    on_text_(text);
  }

  env::Clock& clock_;
  const std::function<void(std::string_view)>& on_text_;
  std::int64_t began_ms_;
  GeneratedAnswer answer_;
  std::optional<Error> error_;
  bool complete_ = false;
};

}  // namespace

std::vector<Argument> generation_arguments(GenerationSettings& settings) {
  return {
      {"--system", "TEXT", &settings.system, "System prompt: how the model should behave."},
      {"--temperature", "T", &settings.temperature, "0: always the likeliest word; 1: as learned."},
      {"--top-p", "P", &settings.top_p, "Draw from the likeliest words that make up P."},
      {"--top-k", "K", &settings.top_k, "Draw from the K likeliest words."},
      {"--min-p", "P", &settings.min_p, "Drop words less likely than P times the likeliest."},
      {"--seed", "N", &settings.seed, "Same seed, same answer."},
      {"--max-tokens", "N", &settings.max_tokens, "Longest answer."},
      {"--stop", "TEXT", &settings.stop, "End before TEXT; may be repeated."},
  };
}

codec::Value chat_body(const std::string& model, const std::vector<Message>& messages,
                       const GenerationSettings& settings) {
  codec::Array list;
  const auto add = [&](const std::string& role, const std::string& content) {
    codec::Value message;
    message.set("role", role);
    message.set("content", content);
    list.push_back(std::move(message));
  };
  if (settings.system) add("system", *settings.system);
  for (const auto& message : messages) add(message.role, message.content);
  codec::Value body;
  body.set("model", model);
  body.set("messages", std::move(list));
  set_fields(body, settings);
  return body;
}

codec::Value raw_body(const std::string& model, const std::string& prompt,
                      const GenerationSettings& settings) {
  codec::Value body;
  body.set("model", model);
  body.set("prompt", prompt);
  set_fields(body, settings);
  return body;
}

Result<GeneratedAnswer> generate(const NodeClient& client, Route route, const codec::Value& body,
                                 env::Clock& clock,
                                 const std::function<void(std::string_view)>& on_text) {
  Reader reader(clock, on_text);
  const auto sent =
      client.post_events(route == Route::kChat ? "/v1/chat/completions" : "/v1/completions", body,
                         [&](const std::string& event) { return reader.take(event); });
  return reader.finish(sent);
}

std::string figures(const GeneratedAnswer& answer) {
  const double seconds = (answer.total_ms - answer.first_ms) / 1000;
  const double rate =
      seconds > 0
          ? static_cast<double>(std::max<std::int64_t>(answer.output_tokens - 1, 0)) / seconds
          : 0;
  return format("{} tokens read, {} written, first after {:.2f} s, {:.1f} tokens/s",
                answer.prompt_tokens, answer.output_tokens, answer.first_ms / 1000, rate);
}

}  // namespace loam::cli
