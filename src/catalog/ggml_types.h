// The formats in which a GGUF file may hold weights.
#pragma once

#include <cstdint>
#include <string_view>

namespace loam::catalog {

/// Weights come in blocks of `block` elements, `bytes` long.
struct GgmlType {
  std::string_view name;  // as in "Q4_1"
  std::uint32_t block = 0;
  std::uint32_t bytes = 0;
};

/// Null for a number that no format has (any more).
/// @source GGUF specification, "ggml_type"; block sizes as in the pinned engine's ggml-common.h.
const GgmlType* ggml_type(std::uint32_t number);

}  // namespace loam::catalog
