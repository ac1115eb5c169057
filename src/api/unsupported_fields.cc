#include "api/unsupported_fields.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

struct Row {
  std::string_view name;
  std::string_view what;                         // what is not offered
  std::array<std::string_view, 3> neutral = {};  // JSON texts that ask for nothing
};

constexpr std::array kTable = {
    Row{"tools", "calling tools", {"[]"}},
    Row{"tool_choice", "calling tools", {R"("none")"}},
    Row{"functions", "calling functions", {"[]"}},
    Row{"function_call", "calling functions", {R"("none")"}},
    Row{"response_format", "an output format other than text", {R"({"type":"text"})"}},
    Row{"modalities", "output other than text", {R"(["text"])", "[]"}},
    Row{"audio", "audio output"},
    Row{"prediction", "predicted output"},
    Row{"web_search_options", "web search"},
    Row{"moderation", "moderation of a request"},
    Row{"store", "keeping a completion for retrieval under /v1", {"false"}},
    Row{"service_tier", "a service tier", {R"("auto")", R"("default")"}},
    Row{"reasoning_effort", "a setting for reasoning", {R"("none")"}},
    Row{"verbosity", "a setting for verbosity", {R"("medium")"}},
    Row{"suffix", "filling in between a prompt and a suffix", {R"("")"}},
    Row{"grammar", "a grammar", {R"("")"}},
    Row{"json_schema", "a JSON schema", {"{}"}},
    Row{"guided_json", "guided decoding", {R"("")", "{}"}},
    Row{"guided_regex", "guided decoding", {R"("")"}},
    Row{"guided_choice", "guided decoding", {"[]"}},
    Row{"guided_grammar", "guided decoding", {R"("")"}},
    Row{"structured_outputs", "guided decoding", {"{}"}},
    Row{"chat_template", "a chat template of the request's own", {R"("")"}},
    Row{"chat_template_kwargs", "arguments for the chat template", {"{}"}},
    Row{"continue_final_message", "continuing the last message", {"false"}},
    Row{"add_generation_prompt", "leaving out the generation prompt", {"true"}},
    Row{"use_beam_search", "beam search", {"false"}},
    Row{"length_penalty", "beam search", {"1", "1.0"}},
    Row{"min_tokens", "a least number of tokens", {"0"}},
    Row{"stop_token_ids", "stop token ids", {"[]"}},
    Row{"bad_words", "banned words", {"[]"}},
    Row{"prompt_logprobs", "prompt_logprobs (use echo and logprobs of /v1/completions)", {"0"}},
    Row{"truncate_prompt_tokens", "truncation of prompts"},
    Row{"typical_p", "this sampling method", {"1", "1.0"}},
    Row{"mirostat", "this sampling method", {"0"}},
    Row{"top_a", "this sampling method", {"0", "0.0"}},
    Row{"tfs_z", "this sampling method", {"1", "1.0"}},
    Row{"dynatemp_range", "this sampling method", {"0", "0.0"}},
    Row{"dry_multiplier", "this sampling method", {"0", "0.0"}},
    Row{"xtc_probability", "this sampling method", {"0", "0.0"}},
    Row{"num_ctx", "a context size per request (set load.context)"},
    Row{"options", "options (send each as a field of its own)", {"{}"}},
};

/// A value that no neutral text is as long as need not be written out to be compared.
bool is_small(const codec::Value& value) {
  if (const codec::Array* array = value.as_array()) return array->size() <= 1;
  if (const codec::Object* object = value.as_object()) return object->size() <= 1;
  return true;
}

}  // namespace

ApiResult<> refuse_unsupported(const Fields& fields) {
  for (const Row& row : kTable) {
    const codec::Value* value = fields.raw(row.name);
    if (value == nullptr) continue;
    if (is_small(*value)) {
      const std::string text = codec::to_json(*value);
      if (std::ranges::find(row.neutral, text) != row.neutral.end()) continue;
    }
    return refuse(unsupported_field(fields.full_name(row.name),
                                    format("{} is not offered by this version", row.what)));
  }
  return {};
}

}  // namespace loam::api
