// What chat and completions requests have in common, parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/request_fields.h"
#include "engine/types.h"

namespace loam::api {

constexpr std::size_t kModelNameBytesMax = 256;
constexpr std::int64_t kChoicesMax = 16;
constexpr std::size_t kStopStringsMax = 16;
constexpr std::size_t kStopBytesMax = 1024;
constexpr std::int64_t kTopLogprobsMax = 20;
constexpr std::size_t kLogitBiasMax = 1024;  // entries; chosen

/// Everything of a generation request but its prompt.
struct GenerationFields {
  std::string model;
  engine::SamplingParams sampling;  // already rounded to units of 1e-6
  std::uint32_t n = 1;
  std::optional<std::int64_t> seed;
  std::optional<std::uint32_t> tokens_max;     // absent: what the context has room for
  std::string tokens_max_name = "max_tokens";  // the field that said so
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::optional<std::uint32_t> top_logprobs;  // absent: no logprobs wanted
  bool stream = false;
  bool include_usage = false;  // in a stream
  std::optional<std::int64_t> keep_alive_s;
  bool keep_answer = true;  // in the private store; `"store": false` says no
};

/// Reads all of these but `tokens_max` and `top_logprobs`, which the routes name differently, and
/// refuses known fields that are not offered.
ApiResult<GenerationFields> read_generation_fields(const Fields& fields);

}  // namespace loam::api
