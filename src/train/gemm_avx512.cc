#include "train/gemm_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace loam::train {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr std::size_t kLanes = 16;
  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static Vector all(float x) { return _mm512_set1_ps(x); }
  static Vector sum(Vector x, Vector y) { return _mm512_add_ps(x, y); }
  static Vector fused(Vector x, Vector y, Vector z) { return _mm512_fmadd_ps(x, y, z); }
};

}  // namespace

// 28 sums, 2 vectors of b and a factor: 31 of 32 registers.
const TileKernel kAvx512Kernel = make_kernel<Avx512>(std::make_index_sequence<kTileRowsMax>());

}  // namespace loam::train
#endif
