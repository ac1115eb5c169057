#include "engine/sampler_kernels.h"

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/lanes.h"

namespace loam::engine {
namespace {

using Words = std::uint32_t __attribute__((vector_size(32)));
using Octets = std::uint8_t __attribute__((vector_size(32)));
using Doubles = double __attribute__((vector_size(32)));
using Longs = std::int64_t __attribute__((vector_size(32)));
using HalfFloats = float __attribute__((vector_size(16)));

constexpr float kMinusInfinity = -HUGE_VALF;

LOAM_INLINE Floats load(const float* from) {
  Floats out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

/// exp(x) for x <= 0 in binary64, with a relative error below 1e-14; the floor is -700.
LOAM_INLINE Doubles exp_exact(Doubles x) {
  const Doubles floor = Doubles{} - 700.0;
  x = x > floor ? x : floor;
  const double round = 0x1.8p52;
  const Doubles shifted = x * 0x1.71547652b82fep0 + round;
  const Doubles whole = shifted - round;
  const Doubles r = (x - whole * 0x1.62e42fefp-1) - whole * 0x1.473de6af278edp-34;
  Doubles sum = Doubles{} + 1.0 / 6227020800.0;
  for (const double factorial : {479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0,
                                 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0})
    sum = sum * r + 1.0 / factorial;
  return std::bit_cast<Doubles>(std::bit_cast<Longs>(sum) + (std::bit_cast<Longs>(shifted) << 52));
}

/// The logits of chunk `chunk`; what is past the end of the vocabulary is -inf, in `padded`.
const float* chunk_of(std::span<const float> logits, std::size_t chunk,
                      std::array<float, kChunkTokens>& padded) {
  const std::size_t from = chunk * kChunkTokens;
  if (from + kChunkTokens <= logits.size()) return &logits[from];
  padded.fill(kMinusInfinity);
  for (std::size_t i = from; i < logits.size(); ++i) padded[i - from] = logits[i];
  return padded.data();
}

template <int kBits>
LOAM_INLINE Words rotate(Words x) {
  // Whole bytes move in one shuffle; the rest takes two shifts.
  if constexpr (kBits == 16) {
    const auto b = std::bit_cast<Octets>(x);
    return std::bit_cast<Words>(__builtin_shufflevector(b, b, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9,
                                                        14, 15, 12, 13, 18, 19, 16, 17, 22, 23, 20,
                                                        21, 26, 27, 24, 25, 30, 31, 28, 29));
  } else if constexpr (kBits == 8) {
    const auto b = std::bit_cast<Octets>(x);
    return std::bit_cast<Words>(__builtin_shufflevector(b, b, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10,
                                                        15, 12, 13, 14, 19, 16, 17, 18, 23, 20, 21,
                                                        22, 27, 24, 25, 26, 31, 28, 29, 30));
  } else {
    return x << kBits | x >> (32 - kBits);
  }
}

/// Half of four quarter rounds at once, so that four chains of work overlap.
template <int kFirst, int kSecond>
LOAM_INLINE void half_round(Words* a, Words& b0, Words& b1, Words& b2, Words& b3, Words& c0,
                            Words& c1, Words& c2, Words& c3, Words& d0, Words& d1, Words& d2,
                            Words& d3) {
  a[0] += b0, a[1] += b1, a[2] += b2, a[3] += b3;
  d0 ^= a[0], d1 ^= a[1], d2 ^= a[2], d3 ^= a[3];
  d0 = rotate<kFirst>(d0), d1 = rotate<kFirst>(d1);
  d2 = rotate<kFirst>(d2), d3 = rotate<kFirst>(d3);
  c0 += d0, c1 += d1, c2 += d2, c3 += d3;
  b0 ^= c0, b1 ^= c1, b2 ^= c2, b3 ^= c3;
  b0 = rotate<kSecond>(b0), b1 = rotate<kSecond>(b1);
  b2 = rotate<kSecond>(b2), b3 = rotate<kSecond>(b3);
}

}  // namespace

bool find_peaks(std::span<const float> logits, std::span<float> peaks) {
  LOAM_CHECK(peaks.size() == chunks_of(logits.size()));
  std::array<float, kChunkTokens> padded;
  Ints finite = Ints{} - 1;
  const Floats top = Floats{} + FLT_MAX;
  for (std::size_t chunk = 0; chunk < peaks.size(); ++chunk) {
    const float* from = chunk_of(logits, chunk, padded);
    Floats peak = load(from);
    finite &= peak <= top;  // false for NaN and +inf
    for (std::size_t i = kLanes; i < kChunkTokens; i += kLanes) {
      const Floats x = load(from + i);
      finite &= x <= top;
      peak = x > peak ? x : peak;
    }
    float best = peak[0];
    for (std::size_t i = 1; i < kLanes; ++i) best = peak[i] > best ? peak[i] : best;
    peaks[chunk] = best;
  }
  for (std::size_t i = 0; i < kLanes; ++i)
    if (finite[i] == 0) return false;
  return true;
}

double sum_exp_fast(std::span<const float> logits, float max) {
  std::array<float, kChunkTokens> padded;
  double total = 0;
  for (std::size_t chunk = 0; chunk < chunks_of(logits.size()); ++chunk) {
    const float* from = chunk_of(logits, chunk, padded);
    Floats sum{};
    for (std::size_t i = 0; i < kChunkTokens; i += kLanes) sum += exp_fast(load(from + i) - max);
    const Floats pairs = sum + __builtin_shufflevector(sum, sum, 4, 5, 6, 7, 0, 1, 2, 3);
    total += double{(pairs[0] + pairs[1]) + (pairs[2] + pairs[3])};
  }
  return total;
}

double sum_exp_exact(std::span<const float> logits, float max) {
  std::array<float, kChunkTokens> padded;
  Doubles total{};
  for (std::size_t chunk = 0; chunk < chunks_of(logits.size()); ++chunk) {
    const float* from = chunk_of(logits, chunk, padded);
    for (std::size_t i = 0; i < kChunkTokens; i += kLanes / 2) {
      HalfFloats x;
      std::memcpy(&x, from + i, sizeof x);
      total += exp_exact(__builtin_convertvector(x, Doubles) - double{max});
    }
  }
  return (total[0] + total[1]) + (total[2] + total[3]);
}

void NoiseChunk::compute(const crypto::Digest& seed, std::uint64_t position, std::size_t chunk) {
  std::array<std::uint32_t, 16> start = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574};
  static_assert(std::endian::native == std::endian::little, "the layout is little-endian");
  std::memcpy(&start[4], seed.data(), 32);
  std::memcpy(&start[13], &position, 8);
  Words first[16];
  for (std::size_t i = 0; i < 16; ++i) first[i] = Words{} + start[i];
  first[12] = Words{0, 1, 2, 3, 4, 5, 6, 7} + static_cast<std::uint32_t>(chunk * 8);
  Words x[16];
  std::memcpy(x, first, sizeof x);
  for (int round = 0; round < 10; ++round) {  // a column round and a diagonal round
    half_round<16, 12>(x, x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12], x[13], x[14],
                       x[15]);
    half_round<8, 7>(x, x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11], x[12], x[13], x[14],
                     x[15]);
    half_round<16, 12>(x, x[5], x[6], x[7], x[4], x[10], x[11], x[8], x[9], x[15], x[12], x[13],
                       x[14]);
    half_round<8, 7>(x, x[5], x[6], x[7], x[4], x[10], x[11], x[8], x[9], x[15], x[12], x[13],
                     x[14]);
  }
  Words peak{};
  for (std::size_t i = 0; i < 16; ++i) {
    x[i] += first[i];
    if (i % 2 == 1) peak = x[i] > peak ? x[i] : peak;
  }
  std::memcpy(words_.data(), x, sizeof x);
  peak_ = 0;
  for (std::size_t i = 0; i < kLanes; ++i) peak_ = peak[i] > peak_ ? peak[i] : peak_;
}

}  // namespace loam::engine
