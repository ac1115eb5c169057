#include "train/vector_loops.h"

#include <cfloat>
#include <cstring>

#include "base/lanes.h"

namespace loam::train {
namespace {

/// Eight numbers, or the `n` that are left and `rest` in the other lanes.
LOAM_INLINE Floats load(const float* from, std::size_t n, float rest = 0) {
  Floats out = Floats{} + rest;
  if (n >= kLanes)
    std::memcpy(&out, from, sizeof out);
  else
    std::memcpy(&out, from, n * sizeof(float));
  return out;
}

LOAM_INLINE void store(float* to, Floats x, std::size_t n) {
  if (n >= kLanes)
    std::memcpy(to, &x, sizeof x);
  else
    std::memcpy(to, &x, n * sizeof(float));
}

LOAM_INLINE float sum_of(Floats x) {
  return ((x[0] + x[4]) + (x[1] + x[5])) + ((x[2] + x[6]) + (x[3] + x[7]));
}

/// 1 / (1 + exp(-x)), through the exponential of a number that is not positive.
LOAM_INLINE Floats sigmoid_of(Floats x) {
  const Floats e = exp_fast(x > 0.0F ? -x : x);
  return (x > 0.0F ? Floats{} + 1.0F : e) / (1.0F + e);
}

/// Calls `step(lanes of each source)` and stores what it returns, eight at a time.
template <class Step, class... Sources>
LOAM_INLINE void map(float* to, std::size_t n, Step step, const Sources*... from) {
  for (std::size_t i = 0; i < n; i += kLanes) store(to + i, step(load(from + i, n - i)...), n - i);
}

/// The sum of `step(lanes of each source)`; two chains of sums, so that one need not wait.
template <class Step, class... Sources>
LOAM_INLINE float sum_over(std::size_t n, Step step, const Sources*... from) {
  Floats even{}, odd{};
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    even += step(load(from + i, kLanes)...);
    odd += step(load(from + i + kLanes, kLanes)...);
  }
  for (; i < n; i += kLanes) even += step(load(from + i, n - i)...);
  return sum_of(even + odd);
}

}  // namespace

float dot(const float* a, const float* b, std::size_t n) {
  return sum_over(n, [](Floats x, Floats y) { return x * y; }, a, b);
}

float dot(const float* a, const float* b, const float* c, std::size_t n) {
  return sum_over(n, [](Floats x, Floats y, Floats z) { return x * y * z; }, a, b, c);
}

void add(float* to, const float* from, std::size_t n) {
  map(to, n, [](Floats x, Floats y) { return x + y; }, to, from);
}

void scale(float* x, float factor, std::size_t n) {
  map(x, n, [=](Floats one) { return one * factor; }, x);
}

Exponentials replace_by_exponentials(float* x, std::size_t n) {
  Floats peak = Floats{} - FLT_MAX;
  for (std::size_t i = 0; i < n; i += kLanes) {
    const Floats here = load(x + i, n - i, -FLT_MAX);
    peak = here > peak ? here : peak;
  }
  float max = peak[0];
  for (std::size_t i = 1; i < kLanes; ++i) max = peak[i] > max ? peak[i] : max;
  const auto step = [=](Floats here) { return exp_fast(here - max); };
  double sum = 0;
  constexpr std::size_t kPart = 512;  // in binary32 each: a vocabulary is too long for one sum
  for (std::size_t from = 0; from < n; from += kPart) {
    const std::size_t count = n - from < kPart ? n - from : kPart;
    map(x + from, count, step, x + from);
    sum += double{sum_over(count, [](Floats e) { return e; }, x + from)};
  }
  return {max, sum};
}

void scale_by(const float* x, float factor, const float* weight, float* y, std::size_t n) {
  map(y, n, [=](Floats one, Floats w) { return one * factor * w; }, x, weight);
}

void add_scaled_difference(float* to, const float* x, const float* weight, float factor,
                           const float* y, float slope, std::size_t n) {
  const auto step = [=](Floats sum, Floats one, Floats w, Floats other) {
    return sum + (one * w * factor - other * slope);
  };
  map(to, n, step, to, x, weight, y);
}

void gated_product(const float* gate, const float* up, float* out, std::size_t n) {
  map(out, n, [](Floats g, Floats u) { return g * sigmoid_of(g) * u; }, gate, up);
}

void gated_product_gradient(const float* gate, const float* up, const float* out_gradient,
                            float* gate_gradient, float* up_gradient, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    const Floats g = load(gate + i, n - i);
    const Floats d = load(out_gradient + i, n - i);
    const Floats u = load(up + i, n - i);
    const Floats s = sigmoid_of(g);
    store(gate_gradient + i, d * u * s * (1.0F + g * (1.0F - s)), n - i);
    store(up_gradient + i, d * g * s, n - i);
  }
}

}  // namespace loam::train
