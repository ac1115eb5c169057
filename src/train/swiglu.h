// SwiGLU's product: silu(gate) up. @source Shazeer, "GLU Variants Improve Transformer", 2020.
#pragma once

#include <span>

#include "train/team.h"

namespace loam::train {

/// All spans have the same size.
void swiglu_forward(Team& team, std::span<const float> gate, std::span<const float> up,
                    std::span<float> out);

/// The gradients of `gate` and `up`; either may take the place of `out_gradient`.
void swiglu_backward(Team& team, std::span<const float> gate, std::span<const float> up,
                     std::span<const float> out_gradient, std::span<float> gate_gradient,
                     std::span<float> up_gradient);

}  // namespace loam::train
