// Numbers for tests: the same ones every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace loam::train::testing {

/// `count` numbers between -1 and 1 that look like chance. @source Marsaglia, "Xorshift RNGs",
/// 2003.
inline std::vector<float> numbers(std::size_t count, std::uint64_t seed, float scale = 1) {
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 0x2545F4914F6CDD1DU;
  std::vector<float> out(count);
  for (float& x : out) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    x = scale * (static_cast<float>(state >> 40) * 0x1p-23F - 1);
  }
  return out;
}

}  // namespace loam::train::testing
