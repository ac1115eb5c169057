#include "train/embedding.h"

#include <algorithm>

#include "base/check.h"
#include "train/vector_loops.h"

namespace loam::train {

void embedding_forward(std::span<const float> table, std::span<const Token> tokens,
                       std::span<float> x) {
  const std::size_t width = x.size() / tokens.size();
  LOAM_CHECK(width * tokens.size() == x.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    LOAM_CHECK((tokens[i] + std::size_t{1}) * width <= table.size());
    std::ranges::copy(table.subspan(tokens[i] * width, width), &x[i * width]);
  }
}

void embedding_backward(std::span<const Token> tokens, std::span<const float> x_gradient,
                        std::span<float> table_gradient) {
  const std::size_t width = x_gradient.size() / tokens.size();
  for (std::size_t i = 0; i < tokens.size(); ++i)
    add(&table_gradient[tokens[i] * width], &x_gradient[i * width], width);
}

}  // namespace loam::train
