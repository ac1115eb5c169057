// JSON text in and out. Home of nlohmann JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace loam::codec {

struct JsonLimits {
  std::size_t bytes_max = 8U << 20;  // 8 MiB
  std::size_t depth_max = 64;
  std::size_t values_max = 1'000'000;  // of all kinds, whole document
};

/// Parses one JSON document and nothing behind it. Numbers without '.', 'e' become int64; those
/// that do not fit, doubles. Never yields Bytes.
/// @error InvalidArgument  not JSON (message has the byte offset), bad UTF-8, a lone surrogate, a
/// name
///                         twice in one object, too deep, a number out of range.
/// @error ResourceExhausted  larger than `limits`.
/// @source RFC 8259.
Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Compact JSON; `indent` >= 0 for people. Strings must be UTF-8: what is not becomes U+FFFD. Bytes
/// are written as base64; doubles as the shortest text that reads back the same; NaN and
/// infinities as null.
std::string to_json(const Value& value, int indent = -1);

}  // namespace loam::codec
