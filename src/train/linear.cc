#include "train/linear.h"

#include <algorithm>

#include "base/check.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

/// Adds the rows of y together. Threads share the columns, so that each sum keeps its order.
void add_rows(Team& team, std::span<const float> y, std::span<float> sum) {
  constexpr std::size_t kColumns = 256;
  team.run((sum.size() + kColumns - 1) / kColumns, [&](std::size_t i, std::size_t) {
    const std::size_t from = i * kColumns;
    const std::size_t count = std::min(kColumns, sum.size() - from);
    for (std::size_t at = from; at < y.size(); at += sum.size()) add(&sum[from], &y[at], count);
  });
}

}  // namespace

void linear_forward(Gemm& gemm, const Linear& linear, const LowRank& low_rank,
                    std::span<const float> x, std::span<float> hidden, std::span<float> y,
                    Into into) {
  const std::size_t rows = x.size() / linear.in;
  const Matrix input = matrix(x, rows, linear.in);
  LOAM_CHECK(y.size() == rows * linear.out);
  const Output output{y.data(), linear.out};
  gemm.multiply(input, matrix(linear.weight, linear.out, linear.in).transposed(), output, into);
  if (!linear.bias.empty())
    gemm.team().run_rows(rows, [&](std::size_t from, std::size_t to) {
      for (std::size_t row = from; row < to; ++row)
        add(&y[row * linear.out], linear.bias.data(), linear.out);
    });
  if (low_rank.rank == 0) return;
  LOAM_CHECK(hidden.size() == low_rank.rank * rows);
  gemm.multiply(matrix(low_rank.down, low_rank.rank, linear.in), input.transposed(),
                {hidden.data(), rows}, Into::kReplace);
  scale(hidden.data(), low_rank.scale, hidden.size());
  gemm.multiply(matrix(hidden, low_rank.rank, rows).transposed(),
                matrix(low_rank.up, low_rank.rank, linear.out), output, Into::kAdd);
}

void linear_backward(Gemm& gemm, const Linear& linear, const LowRank& low_rank,
                     std::span<const float> x, std::span<const float> hidden,
                     std::span<const float> y_gradient, const LinearGradient& gradient,
                     const InputGradient& x_gradient) {
  const std::size_t rows = x.size() / linear.in;
  const Matrix input = matrix(x, rows, linear.in);
  const Matrix output = matrix(y_gradient, rows, linear.out);
  const bool wants_input = !x_gradient.values.empty();
  LOAM_CHECK(!wants_input || x_gradient.values.size() == x.size());
  if (wants_input)
    gemm.multiply(output, matrix(linear.weight, linear.out, linear.in),
                  {x_gradient.values.data(), linear.in}, x_gradient.into);
  if (!gradient.weight.empty())
    gemm.multiply(output.transposed(), input, {gradient.weight.data(), linear.in}, Into::kAdd);
  if (!gradient.bias.empty()) add_rows(gemm.team(), y_gradient, gradient.bias);

  const std::size_t rank = low_rank.rank;
  if (rank == 0) return;
  if (!gradient.up.empty())
    gemm.multiply(matrix(hidden, rank, rows), output, {gradient.up.data(), linear.out}, Into::kAdd);
  if (gradient.down.empty() && !wants_input) return;
  std::vector<float> hidden_gradient(rank * rows);
  gemm.multiply(matrix(low_rank.up, rank, linear.out), output.transposed(),
                {hidden_gradient.data(), rows}, Into::kReplace);
  scale(hidden_gradient.data(), low_rank.scale, hidden_gradient.size());
  const Matrix middle = matrix(hidden_gradient, rank, rows);
  if (!gradient.down.empty())
    gemm.multiply(middle, input, {gradient.down.data(), linear.in}, Into::kAdd);
  if (wants_input)
    gemm.multiply(middle.transposed(), matrix(low_rank.down, rank, linear.in),
                  {x_gradient.values.data(), linear.in}, Into::kAdd);
}

}  // namespace loam::train
