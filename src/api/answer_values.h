// What a replay of a kept answer needs, as plain data: for its owner, and for records.
#pragma once

#include "codec/value.h"
#include "pool/answers.h"

namespace loam::api {

/// Whole numbers only, in the units of docs/formats/gumbel-v1.md.
codec::Value sampling_value(const engine::SamplingParams& sampling);
/// "nonce" or "integer".
std::string_view seed_mode_name(engine::SeedMode mode);

template <class Number>
codec::Array numbers(const std::vector<Number>& list) {
  codec::Array out;
  out.reserve(list.size());
  for (const Number number : list) out.emplace_back(static_cast<std::int64_t>(number));
  return out;
}

}  // namespace loam::api
