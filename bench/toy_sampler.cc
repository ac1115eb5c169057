#include "toy_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "train/elementary.h"
#include "train/linear.h"
#include "train/norm.h"
#include "train/rope.h"
#include "train/swiglu.h"
#include "train/vector_loops.h"

namespace bench {
namespace {

using namespace loam::train;

/// Above 0 and below 1. @source Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014.
double chance(std::uint64_t& state) {
  std::uint64_t x = state += 0x9E3779B97F4A7C15U;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
  x = (x ^ x >> 27) * 0x94D049BB133111EBU;
  x ^= x >> 31;
  return (static_cast<double>(x >> 12) + 0.5) * 0x1p-52;
}

/// One token of each sequence at a time, all at the same position.
class Decoder {
 public:
  Decoder(Gemm& gemm, const Weights& weights, std::size_t rows, std::size_t length)
      : gemm_(gemm),
        weights_(weights),
        rows_(rows),
        length_(length),
        rope_(weights.shape.rope, length),
        cache_(weights.shape.layers) {
    const Shape& shape = weights.shape;
    const std::size_t query = rows * shape.attention.query_width();
    const std::size_t kv = rows * shape.attention.kv_width();
    for (Cache& cache : cache_) {
      cache.k.resize(kv * length);
      cache.v.resize(kv * length);
    }
    x_.resize(rows * shape.width);
    normed_.resize(x_.size());
    q_.resize(query);
    attended_.resize(query);
    k_.resize(kv);
    v_.resize(kv);
    gate_.resize(rows * shape.ffn_width);
    up_.resize(gate_.size());
    logits_.resize(rows * shape.vocabulary);
  }

  /// [rows, vocabulary], for what follows `tokens`.
  std::span<float> step(std::span<const Token> tokens) {
    const Shape& shape = weights_.shape;
    embedding_forward(weights_.embedding, tokens, x_);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) pass(layer);
    norm_forward(gemm_.team(), {weights_.final_norm, shape.norm_epsilon}, x_, normed_);
    gemm_.multiply(matrix(normed_, rows_, shape.width),
                   matrix(weights_.head_weight(), shape.vocabulary, shape.width).transposed(),
                   {logits_.data(), shape.vocabulary}, Into::kReplace);
    ++position_;
    return logits_;
  }

 private:
  struct Cache {
    std::vector<float> k, v;  // [rows, length, kv_width]
  };

  void part(std::size_t layer, Part which, std::span<const float> x, std::span<float> y,
            Into into = Into::kReplace) {
    linear_forward(gemm_, weights_.part(layer, which), {}, x, {}, y, into);
  }

  void pass(std::size_t layer) {
    Team& team = gemm_.team();
    norm_forward(team, weights_.attention_norm(layer), x_, normed_);
    part(layer, Part::kQ, normed_, q_);
    part(layer, Part::kK, normed_, k_);
    part(layer, Part::kV, normed_, v_);
    const std::vector<std::uint32_t> positions(rows_, static_cast<std::uint32_t>(position_));
    rope_.turn(team, positions, q_, Turn::kForward);
    rope_.turn(team, positions, k_, Turn::kForward);
    team.run_rows(rows_, [&](std::size_t from, std::size_t to) {
      for (std::size_t row = from; row < to; ++row) attend(cache_[layer], row);
    });
    part(layer, Part::kOutput, attended_, x_, Into::kAdd);
    norm_forward(team, weights_.ffn_norm(layer), x_, normed_);
    part(layer, Part::kGate, normed_, gate_);
    part(layer, Part::kUp, normed_, up_);
    swiglu_forward(team, gate_, up_, gate_);
    part(layer, Part::kDown, gate_, x_, Into::kAdd);
  }

  void attend(Cache& cache, std::size_t row) {
    const AttentionShape& shape = weights_.shape.attention;
    const std::size_t kv = shape.kv_width(), width = shape.head_width;
    float* const keys = &cache.k[row * length_ * kv];
    float* const values = &cache.v[row * length_ * kv];
    std::copy_n(&k_[row * kv], kv, keys + position_ * kv);
    std::copy_n(&v_[row * kv], kv, values + position_ * kv);
    std::vector<float> scores(position_ + 1), term(width);
    for (std::size_t head = 0; head < shape.heads; ++head) {
      const std::size_t at = head / (shape.heads / shape.kv_heads) * width;
      const float* const query = &q_[row * shape.query_width() + head * width];
      for (std::size_t past = 0; past <= position_; ++past)
        scores[past] =
            dot(query, keys + past * kv + at, width) / std::sqrt(static_cast<float>(width));
      const double sum = replace_by_exponentials(scores.data(), scores.size()).sum;
      float* const out = &attended_[row * shape.query_width() + head * width];
      std::fill_n(out, width, 0.0F);
      for (std::size_t past = 0; past <= position_; ++past) {
        std::copy_n(values + past * kv + at, width, term.data());
        scale(term.data(), static_cast<float>(scores[past] / sum), width);
        add(out, term.data(), width);
      }
    }
  }

  Gemm& gemm_;
  const Weights& weights_;
  const std::size_t rows_, length_;
  std::size_t position_ = 0;
  Rope rope_;
  std::vector<Cache> cache_;
  std::vector<float> x_, normed_, q_, k_, v_, attended_, gate_, up_, logits_;
};

/// The first token whose share of the probabilities reaches beyond a number that is drawn.
Token draw(std::span<float> logits, std::uint64_t& state, double& surprise) {
  const double sum = replace_by_exponentials(logits.data(), logits.size()).sum;
  double left = chance(state) * sum;
  std::size_t at = 0;
  while (at + 1 < logits.size() && left >= double{logits[at]}) left -= double{logits[at++]};
  surprise = -logarithm(std::max(double{logits[at]} / sum, 1e-30));
  return static_cast<Token>(at);
}

}  // namespace

std::vector<Sequence> sample(Gemm& gemm, const Weights& weights, std::span<const Sequence> prompts,
                             std::size_t length, std::uint64_t seed, double& surprise) {
  std::vector<Sequence> out(prompts.begin(), prompts.end());
  const std::size_t prompt = out.front().size();
  std::vector<std::uint64_t> states(out.size());
  for (std::size_t i = 0; i < out.size(); ++i) states[i] = seed << 32 | i;
  std::vector<double> surprises(out.size());
  Decoder decoder(gemm, weights, out.size(), length);
  std::vector<Token> tokens(out.size());
  surprise = 0;
  for (std::size_t at = 0; at + 1 < length; ++at) {
    for (std::size_t i = 0; i < out.size(); ++i) tokens[i] = out[i][at];
    const std::span<float> logits = decoder.step(tokens);
    if (at + 1 < prompt) continue;
    const std::size_t width = weights.shape.vocabulary;
    gemm.team().run_rows(out.size(), [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i)
        out[i].push_back(draw(logits.subspan(i * width, width), states[i], surprises[i]));
    });
    for (const double one : surprises) surprise += one;
  }
  surprise /= static_cast<double>(out.size() * (length - prompt));
  return out;
}

}  // namespace bench
