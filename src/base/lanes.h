// Eight numbers at a time, for the few loops that time is spent in. Vectors of a fixed width are a
// language extension that g++ and clang share: on a machine without such registers the compiler
// splits them, and the results stay the same bit for bit.
//
// Included by files that are compiled for newer processors than the rest: everything here is always
// inlined, and no standard function is compiled with it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#define LOAM_INLINE inline __attribute__((always_inline))

namespace loam {

using Floats = float __attribute__((vector_size(32)));
using Ints = std::int32_t __attribute__((vector_size(32)));

constexpr std::size_t kLanes = 8;

/// exp(x) for x <= 0; what lies below -87 counts as exp(-87). Relative error below 2e-7.
LOAM_INLINE Floats exp_fast(Floats x) {
  const Floats floor = Floats{} - 87.0F;
  x = x > floor ? x : floor;
  const float round = 0x1.8p23F;  // adding it rounds to a whole number in the low bits
  const Floats shifted = x * 0x1.715476p0F + round;
  const Floats whole = shifted - round;
  const Floats r = (x - whole * 0x1.62e4p-1F) - whole * 0x1.7f7d1cp-20F;  // ln 2 in two parts
  Floats sum = r * (1.0F / 720) + 1.0F / 120;
  sum = sum * r + 1.0F / 24;
  sum = sum * r + 1.0F / 6;
  sum = sum * r + 0.5F;
  sum = sum * r + 1.0F;
  sum = sum * r + 1.0F;
  return std::bit_cast<Floats>(std::bit_cast<Ints>(sum) + (std::bit_cast<Ints>(shifted) << 23));
}

}  // namespace loam
