#include "train/gemm_kernel.h"

namespace loam::train {
namespace {

/// Eight numbers at a time, for a compiler to make vectors of where it can.
struct Portable {
  static constexpr std::size_t kLanes = 8;
  struct Vector {
    float lane[kLanes];
  };
  static Vector zero() { return {}; }
  static Vector load(const float* from) {
    Vector out;
    for (std::size_t i = 0; i < kLanes; ++i) out.lane[i] = from[i];
    return out;
  }
  static void store(float* to, const Vector& x) {
    for (std::size_t i = 0; i < kLanes; ++i) to[i] = x.lane[i];
  }
  static Vector all(float x) { return {{x, x, x, x, x, x, x, x}}; }
  static Vector sum(Vector x, const Vector& y) {
    for (std::size_t i = 0; i < kLanes; ++i) x.lane[i] += y.lane[i];
    return x;
  }
  static Vector fused(const Vector& x, const Vector& y, Vector z) {
    for (std::size_t i = 0; i < kLanes; ++i)
      z.lane[i] = __builtin_fmaf(x.lane[i], y.lane[i], z.lane[i]);
    return z;
  }
};

}  // namespace

const TileKernel kPortableKernel = make_kernel<Portable>(std::make_index_sequence<4>());

}  // namespace loam::train
