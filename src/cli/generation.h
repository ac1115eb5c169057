// One answer, streamed from the node: what `run` and `chat` share.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "cli/node_client.h"
#include "cli/verb.h"
#include "env/clock.h"

namespace loam::cli {

struct Message {
  std::string role;
  std::string content;
  friend bool operator==(const Message&, const Message&) = default;
};

/// How an answer is to be made; what is empty is left to the node.
struct GenerationSettings {
  std::optional<std::string> system;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<std::int64_t> top_k;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> max_tokens;
  std::vector<std::string> stop;
};

/// The options that fill `settings`, which must outlive them.
std::vector<Argument> generation_arguments(GenerationSettings& settings);

/// Body of a streamed chat completion; `settings.system` comes first.
codec::Value chat_body(const std::string& model, const std::vector<Message>& messages,
                       const GenerationSettings& settings);
/// Body of a streamed completion: `prompt` goes to the model as it is, without its template.
codec::Value raw_body(const std::string& model, const std::string& prompt,
                      const GenerationSettings& settings);

struct GeneratedAnswer {
  std::string id;
  std::string model;
  std::string text;
  std::string finish_reason;  // "stop", "length"; empty if it was interrupted
  std::int64_t prompt_tokens = 0;
  std::int64_t output_tokens = 0;
  double first_ms = 0;  // request sent to first text
  double total_ms = 0;
};

enum class Route { kChat, kRaw };

/// Asks and hands out the text as it comes. An interruption (Ctrl-C) is no error: the answer is
/// what came so far, with an empty finish_reason.
Result<GeneratedAnswer> generate(const NodeClient& client, Route route, const codec::Value& body,
                                 env::Clock& clock,
                                 const std::function<void(std::string_view)>& on_text);

/// "42 tokens read, 128 written, first after 0.21 s, 61.3 tokens/s"
std::string figures(const GeneratedAnswer& answer);

}  // namespace loam::cli
