// The last layer, its softmax and the cross-entropy of the tokens that count, in one piece: the
// logits of all tokens would be the largest matrix of a step, and most tokens are prompt.
#pragma once

#include <cstddef>
#include <span>

#include "train/embedding.h"
#include "train/gemm.h"

namespace loam::train {

/// What each position should have said, and how much that counts. The gradient is that of
/// sum(weight * loss); a weight of 0 marks what is no answer, and costs nothing.
struct Targets {
  std::span<const Token> tokens;   // [positions]
  std::span<const float> weights;  // [positions]
};

/// Where gradients go; an empty one is not computed.
struct HeadGradient {
  std::span<float> x = {};       // [positions, width], replaced
  std::span<float> weight = {};  // [vocabulary, width], added to
};

/// Writes -ln p(target) of each position whose weight is not 0 to `losses`, [positions], and 0 for
/// the others. `x` is [positions, width], `weight` [vocabulary, width].
void head_loss(Gemm& gemm, std::size_t width, std::span<const float> weight,
               std::span<const float> x, const Targets& targets, std::span<float> losses,
               const HeadGradient& gradient);

}  // namespace loam::train
