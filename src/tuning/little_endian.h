// Whole numbers as bytes, the lowest first: what is hashed and what files hold.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace loam::tuning {

/// As many bytes as `Whole` has.
template <class Whole>
void append_little_endian(Bytes& out, Whole value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

/// @param bytes  as many as `Whole` has, at least.
template <class Whole>
Whole little_endian(ByteView bytes) {
  Whole value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<Whole>(value | Whole{bytes[i]} << (8 * i));
  return value;
}

}  // namespace loam::tuning
