// RMSNorm: y = x weight / sqrt(mean(x^2) + epsilon), row by row.
// @source Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
#pragma once

#include <span>

#include "train/team.h"

namespace loam::train {

struct Norm {
  std::span<const float> weight;  // [width]
  float epsilon;
};

/// x and y are [rows, width].
void norm_forward(Team& team, const Norm& norm, std::span<const float> x, std::span<float> y);

/// Adds to the gradient of x, and to that of the weight unless it is empty.
void norm_backward(Team& team, const Norm& norm, std::span<const float> x,
                   std::span<const float> y_gradient, std::span<float> x_gradient,
                   std::span<float> weight_gradient);

}  // namespace loam::train
