#include "train/gemm_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace loam::train {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr std::size_t kLanes = 8;
  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static Vector all(float x) { return _mm256_set1_ps(x); }
  static Vector sum(Vector x, Vector y) { return _mm256_add_ps(x, y); }
  static Vector fused(Vector x, Vector y, Vector z) { return _mm256_fmadd_ps(x, y, z); }
};

}  // namespace

// 12 sums, 2 vectors of b and a factor: 15 of 16 registers.
const TileKernel kAvx2Kernel = make_kernel<Avx2>(std::make_index_sequence<6>());

}  // namespace loam::train
#endif
