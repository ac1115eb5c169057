// The innermost loop of a product, once for each instruction set. Internal to gemm*.cc.
#pragma once

#include <cstddef>
#include <utility>

namespace loam::train {

/// Multiplies `rows` rows by TileKernel::columns columns over `depth`: a is [depth, rows], b is
/// [depth, columns], and the result replaces what is at c, or is added to it.
using Tile = void (*)(std::size_t depth, const float* a, const float* b, float* c,
                      std::size_t c_step, bool add);

constexpr std::size_t kTileRowsMax = 14;
constexpr std::size_t kTileColumnsMax = 32;

struct TileKernel {
  std::size_t rows_max;
  std::size_t columns;
  Tile tiles[kTileRowsMax];  // for 1, 2, ... rows_max rows
};

extern const TileKernel kPortableKernel;
#if defined(__x86_64__)
extern const TileKernel kAvx2Kernel;
extern const TileKernel kAvx512Kernel;
#endif

/// The tile of `Simd`, two of its vectors wide. The sums stay in registers, which is why the number
/// of rows is known to the compiler.
template <class Simd, std::size_t kRows>
void multiply_tile(std::size_t depth, const float* a, const float* b, float* c, std::size_t c_step,
                   bool add) {
  typename Simd::Vector sums[kRows][2];
  for (auto& row : sums) row[0] = row[1] = Simd::zero();
  for (std::size_t k = 0; k < depth; ++k, a += kRows, b += 2 * Simd::kLanes) {
    const typename Simd::Vector b0 = Simd::load(b);
    const typename Simd::Vector b1 = Simd::load(b + Simd::kLanes);
#pragma GCC unroll 14
    for (std::size_t i = 0; i < kRows; ++i) {
      const typename Simd::Vector factor = Simd::all(a[i]);
      sums[i][0] = Simd::fused(factor, b0, sums[i][0]);
      sums[i][1] = Simd::fused(factor, b1, sums[i][1]);
    }
  }
#pragma GCC unroll 14
  for (std::size_t i = 0; i < kRows; ++i, c += c_step) {
    float* const second = c + Simd::kLanes;
    Simd::store(c, add ? Simd::sum(Simd::load(c), sums[i][0]) : sums[i][0]);
    Simd::store(second, add ? Simd::sum(Simd::load(second), sums[i][1]) : sums[i][1]);
  }
}

template <class Simd, std::size_t... kRows>
constexpr TileKernel make_kernel(std::index_sequence<kRows...>) {
  return {sizeof...(kRows), 2 * Simd::kLanes, {multiply_tile<Simd, kRows + 1>...}};
}

}  // namespace loam::train
