// POST /v1/embeddings, parsed. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/text_input.h"

namespace loam::api {

constexpr std::size_t kEmbeddingInputsMax = 2048;  // as in OpenAI's description

struct EmbeddingRequest {
  std::string model;
  std::vector<TextInput> inputs;
  bool base64 = false;                     // else arrays of numbers
  std::optional<std::int64_t> dimensions;  // must be the model's width
  std::optional<std::int64_t> keep_alive_s;
};

/// @error 400 naming the field that is wrong.
ApiResult<EmbeddingRequest> parse_embedding_request(const codec::Value& body);

}  // namespace loam::api
