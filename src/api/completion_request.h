// POST /v1/completions, parsed. Pure.
#pragma once

#include <vector>

#include "api/generation_fields.h"
#include "api/text_input.h"

namespace loam::api {

constexpr std::size_t kPromptsMax = 128;  // of one request; chosen below the engine's queue
constexpr std::uint32_t kCompletionTokensDefault = 16;  // as in OpenAI's description

struct CompletionRequest {
  GenerationFields generation;  // tokens_max is always set
  std::vector<TextInput> prompts;
  bool echo = false;
};

/// @error 400 naming the field that is wrong or not offered.
ApiResult<CompletionRequest> parse_completion_request(const codec::Value& body);

}  // namespace loam::api
