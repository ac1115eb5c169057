// A linear layer with a frozen or trained weight, an optional bias and an optional low-rank part:
// y = x W^T + bias + scale (x down^T) up.
// @source Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
#pragma once

#include <cstddef>
#include <span>

#include "train/gemm.h"

namespace loam::train {

struct Linear {
  std::size_t in;
  std::size_t out;
  std::span<const float> weight;  // [out, in]
  std::span<const float> bias;    // [out], or empty
};

/// The low-rank part. `up` lies transposed (LoRA's B is [out, rank]): then every product has the
/// rank as its rows, which costs least.
struct LowRank {
  std::size_t rank = 0;  // 0: there is none
  float scale = 0;
  std::span<const float> down = {};  // [rank, in], LoRA's A
  std::span<const float> up = {};    // [rank, out]
};

/// Where gradients are added; an empty one is not computed.
struct LinearGradient {
  std::span<float> weight = {}, bias = {}, down = {}, up = {};
};

/// The gradient of x: where it goes; empty if nobody needs it.
struct InputGradient {
  std::span<float> values = {};
  Into into = Into::kReplace;
};

/// x is [rows, in], y [rows, out]. `hidden`, [rank, rows], is kept for linear_backward().
void linear_forward(Gemm& gemm, const Linear& linear, const LowRank& low_rank,
                    std::span<const float> x, std::span<float> hidden, std::span<float> y,
                    Into into);

void linear_backward(Gemm& gemm, const Linear& linear, const LowRank& low_rank,
                     std::span<const float> x, std::span<const float> hidden,
                     std::span<const float> y_gradient, const LinearGradient& gradient,
                     const InputGradient& x_gradient);

}  // namespace loam::train
