#include "train/head.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "train/elementary.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

constexpr std::size_t kRows = 256;  // of logits at a time: 50 MB with a vocabulary of 49,152

/// Replaces a row of logits by the gradient of `weight` times its loss, which it returns.
float cross_entropy(std::span<float> logits, Token target, float weight) {
  LOAM_CHECK(target < logits.size());
  const float of_target = logits[target];
  const auto [max, sum] = replace_by_exponentials(logits.data(), logits.size());
  scale(logits.data(), static_cast<float>(double{weight} / sum), logits.size());
  logits[target] -= weight;
  return static_cast<float>(logarithm(sum) - (double{of_target} - double{max}));
}

}  // namespace

void head_loss(Gemm& gemm, std::size_t width, std::span<const float> weight,
               std::span<const float> x, const Targets& targets, std::span<float> losses,
               const HeadGradient& gradient) {
  const std::size_t vocabulary = weight.size() / width;
  LOAM_CHECK(x.size() == losses.size() * width && targets.tokens.size() == losses.size());
  LOAM_CHECK(targets.weights.size() == losses.size());
  std::vector<std::size_t> counted;  // positions
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (targets.weights[i] != 0) counted.push_back(i);
  std::ranges::fill(losses, 0.0F);
  std::ranges::fill(gradient.x, 0.0F);
  const Matrix whole = matrix(weight, vocabulary, width);
  std::vector<float> rows(std::min(kRows, counted.size()) * width);
  std::vector<float> logits(std::min(kRows, counted.size()) * vocabulary);
  for (std::size_t from = 0; from < counted.size(); from += kRows) {
    const std::span positions =
        std::span(counted).subspan(from, std::min(kRows, counted.size() - from));
    const std::size_t count = positions.size();
    for (std::size_t i = 0; i < count; ++i)
      std::ranges::copy(x.subspan(positions[i] * width, width), &rows[i * width]);
    const Matrix input{rows.data(), count, width, width};
    const Matrix output{logits.data(), count, vocabulary, vocabulary};
    gemm.multiply(input, whole.transposed(), {logits.data(), vocabulary}, Into::kReplace);
    gemm.team().run(count, [&](std::size_t i, std::size_t) {
      const std::size_t at = positions[i];
      losses[at] = cross_entropy(std::span(logits).subspan(i * vocabulary, vocabulary),
                                 targets.tokens[at], targets.weights[at]);
    });
    if (!gradient.weight.empty())
      gemm.multiply(output.transposed(), input, {gradient.weight.data(), width}, Into::kAdd);
    if (gradient.x.empty()) continue;
    gemm.multiply(output, whole, {rows.data(), width}, Into::kReplace);
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(&rows[i * width], width, &gradient.x[positions[i] * width]);
  }
}

}  // namespace loam::train
