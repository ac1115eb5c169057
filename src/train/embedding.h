// The table of token embeddings.
#pragma once

#include <cstdint>
#include <span>

namespace loam::train {

using Token = std::uint32_t;

/// x is [tokens, width]: for each token its row of `table`, [vocabulary, width].
void embedding_forward(std::span<const float> table, std::span<const Token> tokens,
                       std::span<float> x);

/// Adds each row of x's gradient to its token's row of the table's.
void embedding_backward(std::span<const Token> tokens, std::span<const float> x_gradient,
                        std::span<float> table_gradient);

}  // namespace loam::train
