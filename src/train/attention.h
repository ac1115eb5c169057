// Causal attention with grouped queries, over sequences that lie one after the other.
//
// The probabilities are never kept: a block of queries needs a few hundred kilobytes, and the
// gradient computes them again (Dao et al., "FlashAttention", 2022, has the idea).
#pragma once

#include <cstddef>
#include <span>

#include "train/gemm.h"

namespace loam::train {

struct AttentionShape {
  std::size_t heads;
  std::size_t kv_heads;  // divides `heads`: so many queries share one key and value
  std::size_t head_width;

  std::size_t query_width() const { return heads * head_width; }
  std::size_t kv_width() const { return kv_heads * head_width; }
};

/// Where each packed sequence begins, and at the end the number of all tokens: a token attends to
/// itself and what precedes it in its own sequence.
using Starts = std::span<const std::size_t>;

/// q, k and v as they come from their layers, turned to their positions; [tokens, width].
struct AttentionInputs {
  std::span<const float> q, k, v;
};
struct AttentionGradients {
  std::span<float> q, k, v;
};

/// out is [tokens, query_width].
void attention_forward(Gemm& gemm, const AttentionShape& shape, Starts starts,
                       const AttentionInputs& in, std::span<float> out);

/// Replaces `gradients`. `out` is what attention_forward() made of `in`.
void attention_backward(Gemm& gemm, const AttentionShape& shape, Starts starts,
                        const AttentionInputs& in, std::span<const float> out,
                        std::span<const float> out_gradient, const AttentionGradients& gradients);

}  // namespace loam::train
