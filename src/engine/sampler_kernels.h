// The loops of gumbel-v1 that touch the whole vocabulary. Fixed lanes and fixed order, so the bits
// do not depend on the instruction set that the compiler picked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/digest.h"

namespace loam::engine {

/// Tokens are looked at in chunks of this many: eight ChaCha20 blocks side by side.
constexpr std::size_t kChunkTokens = 64;

constexpr std::size_t chunks_of(std::size_t vocabulary) {
  return (vocabulary + kChunkTokens - 1) / kChunkTokens;
}

/// Writes the largest logit of each chunk to `peaks`, [chunks_of(logits.size())].
/// False if a logit is NaN or +inf; `peaks` is then of no use.
bool find_peaks(std::span<const float> logits, std::span<float> peaks);

/// Sum of exp(logit - max), max being the largest logit. Relative error below 1e-6.
double sum_exp_fast(std::span<const float> logits, float max);
/// The same with a relative error below 1e-13; takes about four times as long.
double sum_exp_exact(std::span<const float> logits, float max);

/// The noise of 64 tokens at one position, before it is turned into numbers.
class NoiseChunk {
 public:
  /// Computes chunk `chunk` (tokens 64 chunk to 64 chunk + 63) of the key's noise at `position`.
  void compute(const crypto::Digest& seed, std::uint64_t position, std::size_t chunk);

  /// The 64-bit keystream word of token `index` of the chunk.
  std::uint64_t word(std::size_t index) const {
    const std::size_t block = index / 8;
    const std::size_t pair = index % 8 * 2;
    return std::uint64_t{words_[pair + 1][block]} << 32 | words_[pair][block];
  }
  /// The largest upper half of all 64 words.
  std::uint32_t peak() const { return peak_; }

 private:
  alignas(32) std::array<std::array<std::uint32_t, 8>, 16> words_{};  // [state word][block]
  std::uint32_t peak_ = 0;
};

}  // namespace loam::engine
