#include "train/norm.h"

#include <cmath>

#include "base/check.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

float factor_of(const Norm& norm, const float* x) {
  const std::size_t width = norm.weight.size();
  return 1.0F / std::sqrt(dot(x, x, width) / static_cast<float>(width) + norm.epsilon);
}

}  // namespace

void norm_forward(Team& team, const Norm& norm, std::span<const float> x, std::span<float> y) {
  const std::size_t width = norm.weight.size();
  LOAM_CHECK(x.size() == y.size() && x.size() % width == 0);
  team.run_rows(x.size() / width, [&](std::size_t from, std::size_t to) {
    for (std::size_t at = from * width; at < to * width; at += width)
      scale_by(&x[at], factor_of(norm, &x[at]), norm.weight.data(), &y[at], width);
  });
}

void norm_backward(Team& team, const Norm& norm, std::span<const float> x,
                   std::span<const float> y_gradient, std::span<float> x_gradient,
                   std::span<float> weight_gradient) {
  const std::size_t width = norm.weight.size();
  LOAM_CHECK(x.size() == y_gradient.size() && x.size() == x_gradient.size());
  const float* const weight = norm.weight.data();
  team.run_rows(x.size() / width, [&](std::size_t from, std::size_t to) {
    for (std::size_t at = from * width; at < to * width; at += width) {
      const float factor = factor_of(norm, &x[at]);
      const float slope = dot(&y_gradient[at], weight, &x[at], width) * factor * factor * factor /
                          static_cast<float>(width);
      add_scaled_difference(&x_gradient[at], &y_gradient[at], weight, factor, &x[at], slope, width);
    }
  });
  if (weight_gradient.empty()) return;
  LOAM_CHECK(weight_gradient.size() == width);
  for (std::size_t at = 0; at < x.size();
       at += width) {  // one thread: sums over rows have an order
    const float factor = factor_of(norm, &x[at]);
    for (std::size_t i = 0; i < width; ++i)
      weight_gradient[i] += y_gradient[at + i] * x[at + i] * factor;
  }
}

}  // namespace loam::train
