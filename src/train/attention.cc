#include "train/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

constexpr std::size_t kQueries = 128;  // chosen: rows of probabilities that are there at a time

/// Some queries of one head, and the keys and values that they may look at.
struct Block {
  std::size_t head, kv_head;
  std::size_t first;  // token of the sequence's first key
  std::size_t query;  // token of the first query
  std::size_t queries;

  std::size_t keys() const { return query + queries - first; }
};

/// The part of [tokens, heads * head_width] that is `count` tokens of one head.
Matrix head_of(std::span<const float> values, std::size_t width, std::size_t head_width,
               std::size_t head, std::size_t token, std::size_t count) {
  return {&values[token * width + head * head_width], count, head_width, width};
}

class Attention {
 public:
  Attention(Gemm& gemm, const AttentionShape& shape, const AttentionInputs& in)
      : gemm_(gemm),
        shape_(shape),
        in_(in),
        scale_(1.0F / std::sqrt(static_cast<float>(shape.head_width))) {}

  Matrix queries(std::span<const float> values, const Block& block) const {
    return head_of(values, shape_.query_width(), shape_.head_width, block.head, block.query,
                   block.queries);
  }
  Matrix keys(std::span<const float> values, const Block& block) const {
    return head_of(values, shape_.kv_width(), shape_.head_width, block.kv_head, block.first,
                   block.keys());
  }
  Output queries_out(std::span<float> values, const Block& block) const {
    return {&values[block.query * shape_.query_width() + block.head * shape_.head_width],
            shape_.query_width()};
  }
  Output keys_out(std::span<float> values, const Block& block) const {
    return {&values[block.first * shape_.kv_width() + block.kv_head * shape_.head_width],
            shape_.kv_width()};
  }
  /// How many keys the i-th query may look at.
  static std::size_t seen(const Block& block, std::size_t i) {
    return block.query + i + 1 - block.first;
  }

  /// softmax(scale q k^T), [queries, keys], with zeros where a query may not look.
  void probabilities(std::size_t worker, const Block& block, std::vector<float>& out) const {
    out.resize(block.queries * block.keys());
    gemm_.multiply_alone(worker, queries(in_.q, block), keys(in_.k, block).transposed(),
                         {out.data(), block.keys()}, Into::kReplace);
    for (std::size_t i = 0; i < block.queries; ++i) {
      float* const row = &out[i * block.keys()];
      const std::size_t count = seen(block, i);
      scale(row, scale_, count);
      const double sum = replace_by_exponentials(row, count).sum;
      scale(row, static_cast<float>(1.0 / sum), count);
      std::fill(row + count, row + block.keys(), 0.0F);
    }
  }

  void forward(std::size_t worker, const Block& block, std::span<float> out) const {
    std::vector<float> weights;
    probabilities(worker, block, weights);
    gemm_.multiply_alone(worker, matrix(weights, block.queries, block.keys()), keys(in_.v, block),
                         queries_out(out, block), Into::kReplace);
  }

  void backward(std::size_t worker, const Block& block, std::span<const float> out,
                std::span<const float> out_gradient, const AttentionGradients& to) const {
    std::vector<float> weights;
    probabilities(worker, block, weights);
    const Matrix p = matrix(weights, block.queries, block.keys());
    const Matrix d_out = queries(out_gradient, block);
    gemm_.multiply_alone(worker, p.transposed(), d_out, keys_out(to.v, block), Into::kAdd);

    std::vector<float> scores(weights.size());  // their gradient
    gemm_.multiply_alone(worker, d_out, keys(in_.v, block).transposed(),
                         {scores.data(), block.keys()}, Into::kReplace);
    const Matrix o = queries(out, block);
    for (std::size_t i = 0; i < block.queries; ++i) {
      float* const row = &scores[i * block.keys()];
      const float* const weight = &weights[i * block.keys()];
      const float mean =
          dot(o.data + i * o.row_step, d_out.data + i * d_out.row_step, shape_.head_width);
      for (std::size_t j = 0; j < block.keys(); ++j) row[j] = (row[j] - mean) * weight[j] * scale_;
    }
    const Matrix d_scores = matrix(scores, block.queries, block.keys());
    gemm_.multiply_alone(worker, d_scores, keys(in_.k, block), queries_out(to.q, block),
                         Into::kReplace);
    gemm_.multiply_alone(worker, d_scores.transposed(), queries(in_.q, block),
                         keys_out(to.k, block), Into::kAdd);
  }

  /// Calls `use(worker, block)` for every block. Those that share keys follow one another on one
  /// thread, so that what they add to a gradient has an order.
  template <class Use>
  void for_each_block(Starts starts, const Use& use) const {
    const std::size_t group = shape_.heads / shape_.kv_heads;
    const auto one = [&](std::size_t i, std::size_t worker) {
      const std::size_t sequence = i / shape_.kv_heads;
      const std::size_t kv_head = i % shape_.kv_heads;
      const std::size_t first = starts[sequence];
      const std::size_t end = starts[sequence + 1];
      for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
        for (std::size_t query = first; query < end; query += kQueries)
          use(worker, Block{head, kv_head, first, query, std::min(kQueries, end - query)});
    };
    gemm_.team().run((starts.size() - 1) * shape_.kv_heads, one);
  }

 private:
  Gemm& gemm_;
  const AttentionShape& shape_;
  const AttentionInputs& in_;
  float scale_;
};

void check_sizes(const AttentionShape& shape, Starts starts, const AttentionInputs& in) {
  LOAM_CHECK(shape.heads % shape.kv_heads == 0);
  LOAM_CHECK(!starts.empty() && starts.front() == 0 && std::ranges::is_sorted(starts));
  LOAM_CHECK(in.q.size() == starts.back() * shape.query_width());
  LOAM_CHECK(in.k.size() == starts.back() * shape.kv_width() && in.v.size() == in.k.size());
}

}  // namespace

void attention_forward(Gemm& gemm, const AttentionShape& shape, Starts starts,
                       const AttentionInputs& in, std::span<float> out) {
  check_sizes(shape, starts, in);
  LOAM_CHECK(out.size() == in.q.size());
  const Attention attention(gemm, shape, in);
  attention.for_each_block(starts, [&](std::size_t worker, const Block& block) {
    attention.forward(worker, block, out);
  });
}

void attention_backward(Gemm& gemm, const AttentionShape& shape, Starts starts,
                        const AttentionInputs& in, std::span<const float> out,
                        std::span<const float> out_gradient, const AttentionGradients& gradients) {
  check_sizes(shape, starts, in);
  LOAM_CHECK(out.size() == in.q.size() && out_gradient.size() == in.q.size());
  LOAM_CHECK(gradients.q.size() == in.q.size() && gradients.k.size() == in.k.size());
  LOAM_CHECK(gradients.v.size() == in.v.size());
  std::ranges::fill(gradients.k, 0.0F);
  std::ranges::fill(gradients.v, 0.0F);
  const Attention attention(gemm, shape, in);
  attention.for_each_block(starts, [&](std::size_t worker, const Block& block) {
    attention.backward(worker, block, out, out_gradient, gradients);
  });
}

}  // namespace loam::train
