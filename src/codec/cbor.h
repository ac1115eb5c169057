// Deterministic CBOR, own code: what is signed and what crosses the worker's socket.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"
#include "codec/value.h"

namespace loam::codec {

struct CborLimits {
  std::size_t bytes_max = 64U << 20;  // 64 MiB
  std::size_t depth_max = 32;
  std::size_t values_max = 20'000'000;
};

/// Core deterministic encoding with text keys sorted bytewise by their encoding; doubles are
/// always 8 bytes (a worker's floats need no shortening). One value has one encoding.
/// @source RFC 8949 section 4.2.1, except that floats are not shortened.
Bytes to_cbor(const Value& value);

/// Strict: exactly one item, definite lengths, shortest heads, sorted distinct text keys, valid
/// UTF-8, integers within int64, no tags, no simple values but false, true, null, floats of 8 bytes
/// only. Never allocates more than the input justifies.
/// @error InvalidArgument  anything else; the message has the byte offset.
/// @error ResourceExhausted  beyond `limits`.
Result<Value> parse_cbor(ByteView bytes, const CborLimits& limits = {});

}  // namespace loam::codec
