// Every operator: its values against a plain definition, its gradient against finite differences.
#include <gtest/gtest.h>

#include <cmath>

#include "train/attention.h"
#include "train/embedding.h"
#include "train/head.h"
#include "train/linear.h"
#include "train/norm.h"
#include "train/rope.h"
#include "train/swiglu.h"
#include "train/testing/finite_difference.h"
#include "train/testing/numbers.h"

namespace loam::train {
namespace {

using testing::gradient_error;
using testing::numbers;
using testing::weighted_sum;

constexpr double kTolerance = 1e-3;  // finite differences of binary32 see no more

class Operators : public ::testing::Test {
 protected:
  Team team_{2};
  Gemm gemm_{team_};
};

TEST_F(Operators, NormGivesEachRowItsWeightedUnitLength) {
  const std::vector<float> x = numbers(3 * 11, 1, 3);
  const std::vector<float> weight = numbers(11, 2);
  std::vector<float> y(x.size());
  norm_forward(team_, {weight, 1e-5F}, x, y);
  for (std::size_t row = 0; row < 3; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < 11; ++i) squares += std::pow(x[row * 11 + i], 2);
    for (std::size_t i = 0; i < 11; ++i)
      EXPECT_NEAR(y[row * 11 + i], x[row * 11 + i] * weight[i] / std::sqrt(squares / 11 + 1e-5),
                  1e-6);
  }
}

TEST_F(Operators, NormHasTheGradientOfItsValues) {
  std::vector<float> x = numbers(4 * 19, 1);
  std::vector<float> weight = numbers(19, 2);
  const std::vector<float> dy = numbers(x.size(), 3);
  std::vector<float> y(x.size()), dx(x.size()), dweight(weight.size());
  const auto loss = [&] {
    norm_forward(team_, {weight, 1e-5F}, x, y);
    return weighted_sum(y, dy);
  };
  norm_backward(team_, {weight, 1e-5F}, x, dy, dx, dweight);
  EXPECT_LT(gradient_error(x, dx, loss), kTolerance);
  EXPECT_LT(gradient_error(weight, dweight, loss), kTolerance);
}

TEST_F(Operators, NormAddsToTheGradientThatIsThere) {
  const std::vector<float> x = numbers(19, 1), weight = numbers(19, 2), dy = numbers(19, 3);
  std::vector<float> fresh(19), added(19, 5.0F);
  norm_backward(team_, {weight, 1e-5F}, x, dy, fresh, {});
  norm_backward(team_, {weight, 1e-5F}, x, dy, added, {});
  for (std::size_t i = 0; i < 19; ++i) EXPECT_FLOAT_EQ(added[i], fresh[i] + 5);
}

RopeShape rope_shape(RopePairs pairs) {
  return {.head_width = 8, .rotated = 6, .base = 100, .pairs = pairs, .factors = {1, 2, 4}};
}

TEST_F(Operators, RopeTurnsEachPairByPositionTimesFrequency) {
  for (const RopePairs pairs : {RopePairs::kAdjacent, RopePairs::kHalves}) {
    const Rope rope(rope_shape(pairs), 50);
    const std::vector<float> before = numbers(2 * 2 * 8, 1);
    std::vector<float> after = before;
    const std::vector<std::uint32_t> positions = {0, 37};
    rope.turn(team_, positions, after, Turn::kForward);
    for (std::size_t head = 0; head < 4; ++head) {
      const float* const x = &before[head * 8];
      const float* const y = &after[head * 8];
      EXPECT_EQ(x[6], y[6]);  // beyond the part that turns
      EXPECT_EQ(x[7], y[7]);
      for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t one = pairs == RopePairs::kAdjacent ? 2 * i : i;
        const std::size_t two = pairs == RopePairs::kAdjacent ? 2 * i + 1 : i + 3;
        const double frequency = std::pow(100, -2.0 * static_cast<double>(i) / 6) / (1 << i);
        const double angle = positions[head / 2] * frequency;
        EXPECT_NEAR(y[one], x[one] * std::cos(angle) - x[two] * std::sin(angle), 1e-6);
        EXPECT_NEAR(y[two], x[one] * std::sin(angle) + x[two] * std::cos(angle), 1e-6);
      }
    }
  }
}

TEST_F(Operators, RopeHasTheGradientOfItsValues) {
  for (const RopePairs pairs : {RopePairs::kAdjacent, RopePairs::kHalves}) {
    const Rope rope(rope_shape(pairs), 50);
    const std::vector<std::uint32_t> positions = {3, 21, 49};
    std::vector<float> x = numbers(3 * 16, 1);
    std::vector<float> gradient = numbers(x.size(), 2);
    const std::vector<float> dy = gradient;
    const auto loss = [&] {
      std::vector<float> y = x;
      rope.turn(team_, positions, y, Turn::kForward);
      return weighted_sum(y, dy);
    };
    rope.turn(team_, positions, gradient, Turn::kBackward);
    EXPECT_LT(gradient_error(x, gradient, loss), kTolerance);
  }
}

TEST_F(Operators, SwigluHasItsValuesAndTheirGradient) {
  std::vector<float> gate = numbers(45, 1, 4);
  std::vector<float> up = numbers(45, 2, 2);
  gate[3] = -200;  // far out on both sides there is no overflow
  gate[4] = 200;
  const std::vector<float> dy = numbers(45, 3);
  std::vector<float> y(45);
  swiglu_forward(team_, gate, up, y);
  for (std::size_t i = 0; i < 45; ++i)
    EXPECT_NEAR(y[i], gate[i] / (1 + std::exp(-double{gate[i]})) * up[i],
                1e-6 + 1e-6 * std::abs(y[i]));
  const auto loss = [&] {
    swiglu_forward(team_, gate, up, y);
    return weighted_sum(y, dy);
  };
  std::vector<float> dgate = dy, dup(45);  // in place, as the model does it
  swiglu_backward(team_, gate, up, dgate, dgate, dup);
  EXPECT_LT(gradient_error(gate, dgate, loss), 4 * kTolerance);  // its values are in the hundreds
  EXPECT_LT(gradient_error(up, dup, loss), kTolerance);
}

struct LinearCase {
  std::size_t rows = 5, in = 9, out = 7, rank = 3;
  std::vector<float> x = numbers(5 * 9, 1), weight = numbers(7 * 9, 2), bias = numbers(7, 3),
                     down = numbers(3 * 9, 4), up = numbers(3 * 7, 5), dy = numbers(5 * 7, 6),
                     hidden = std::vector<float>(3 * 5), y = std::vector<float>(5 * 7);
  Linear linear() const { return {in, out, weight, bias}; }
  LowRank low_rank() const { return {rank, 0.7F, down, up}; }
};

TEST_F(Operators, LinearIsWeightPlusBiasPlusLowRankPart) {
  LinearCase of;
  of.y.assign(of.y.size(), 100.0F);
  linear_forward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.y, Into::kAdd);
  for (std::size_t row = 0; row < of.rows; ++row)
    for (std::size_t j = 0; j < of.out; ++j) {
      double sum = 100 + double{of.bias[j]};
      for (std::size_t k = 0; k < of.in; ++k) {
        double weight = of.weight[j * of.in + k];
        for (std::size_t r = 0; r < of.rank; ++r)
          weight += 0.7 * double{of.up[r * of.out + j]} * of.down[r * of.in + k];
        sum += weight * of.x[row * of.in + k];
      }
      EXPECT_NEAR(of.y[row * of.out + j], sum, 2e-5);
    }
}

TEST_F(Operators, LinearHasTheGradientOfItsValues) {
  LinearCase of;
  const auto loss = [&] {
    linear_forward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.y, Into::kReplace);
    return weighted_sum(of.y, of.dy);
  };
  loss();
  std::vector<float> dx(of.x.size()), dweight(of.weight.size()), dbias(of.bias.size()),
      ddown(of.down.size()), dup(of.up.size());
  linear_backward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.dy,
                  {dweight, dbias, ddown, dup}, {dx, Into::kReplace});
  EXPECT_LT(gradient_error(of.x, dx, loss), kTolerance);
  EXPECT_LT(gradient_error(of.weight, dweight, loss), kTolerance);
  EXPECT_LT(gradient_error(of.bias, dbias, loss), kTolerance);
  EXPECT_LT(gradient_error(of.down, ddown, loss), kTolerance);
  EXPECT_LT(gradient_error(of.up, dup, loss), kTolerance);
}

TEST_F(Operators, LinearComputesOnlyTheGradientsThatAreAskedFor) {
  LinearCase of;
  linear_forward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.y, Into::kReplace);
  std::vector<float> all_down(of.down.size()), all_up(of.up.size()), down(of.down.size()),
      up(of.up.size()), dx(of.x.size());
  linear_backward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.dy,
                  {.down = all_down, .up = all_up}, {dx, Into::kReplace});
  linear_backward(gemm_, of.linear(), of.low_rank(), of.x, of.hidden, of.dy,
                  {.down = down, .up = up}, {});
  EXPECT_EQ(down, all_down);
  EXPECT_EQ(up, all_up);
}

struct AttentionCase {
  AttentionShape shape{.heads = 4, .kv_heads = 2, .head_width = 5};
  std::vector<std::size_t> starts;
  std::vector<float> q, k, v, out;

  explicit AttentionCase(std::vector<std::size_t> at)
      : starts(std::move(at)),
        q(numbers(starts.back() * 20, 1, 2)),
        k(numbers(starts.back() * 10, 2, 2)),
        v(numbers(starts.back() * 10, 3)),
        out(q.size()) {}
  AttentionInputs in() const { return {q, k, v}; }
};

TEST_F(Operators, AttentionLooksBackWithinItsSequenceOnly) {
  AttentionCase of({0, 3, 4, 304});  // the last has several blocks of queries
  attention_forward(gemm_, of.shape, of.starts, of.in(), of.out);
  for (std::size_t s = 0; s + 1 < of.starts.size(); ++s)
    for (std::size_t t = of.starts[s]; t < of.starts[s + 1]; ++t)
      for (std::size_t head = 0; head < 4; ++head) {
        std::vector<double> sums(5);
        double total = 0;
        for (std::size_t past = of.starts[s]; past <= t; ++past) {
          const std::size_t kv = past * 10 + head / 2 * 5;
          double score = 0;
          for (std::size_t i = 0; i < 5; ++i)
            score += double{of.q[t * 20 + head * 5 + i]} * of.k[kv + i];
          const double weight = std::exp(score / std::sqrt(5.0));
          total += weight;
          for (std::size_t i = 0; i < 5; ++i) sums[i] += weight * of.v[kv + i];
        }
        for (std::size_t i = 0; i < 5; ++i)
          ASSERT_NEAR(of.out[t * 20 + head * 5 + i], sums[i] / total, 3e-6);
      }
}

TEST_F(Operators, AttentionHasTheGradientOfItsValues) {
  AttentionCase of({0, 2, 9});
  const std::vector<float> dy = numbers(of.out.size(), 4);
  const auto loss = [&] {
    attention_forward(gemm_, of.shape, of.starts, of.in(), of.out);
    return weighted_sum(of.out, dy);
  };
  loss();
  std::vector<float> dq(of.q.size()), dk(of.k.size()), dv(of.v.size());
  attention_backward(gemm_, of.shape, of.starts, of.in(), of.out, dy, {dq, dk, dv});
  EXPECT_LT(gradient_error(of.q, dq, loss), kTolerance);
  EXPECT_LT(gradient_error(of.k, dk, loss), kTolerance);
  EXPECT_LT(gradient_error(of.v, dv, loss), kTolerance);
}

TEST_F(Operators, AttentionGradientIsTheSameOverSeveralBlocksOfQueries) {
  AttentionCase of({0, 300});
  const std::vector<float> dy = numbers(of.out.size(), 4);
  const auto loss = [&] {
    attention_forward(gemm_, of.shape, of.starts, of.in(), of.out);
    return weighted_sum(of.out, dy);
  };
  loss();
  std::vector<float> dq(of.q.size()), dk(of.k.size()), dv(of.v.size());
  attention_backward(gemm_, of.shape, of.starts, of.in(), of.out, dy, {dq, dk, dv});
  for (const std::size_t at : {0U, 127U * 10U, 128U * 10U + 3U, 299U * 10U}) {
    EXPECT_LT(gradient_error(std::span(of.k).subspan(at, 5), std::span(dk).subspan(at, 5), loss),
              1e-2);
    EXPECT_LT(gradient_error(std::span(of.v).subspan(at, 5), std::span(dv).subspan(at, 5), loss),
              1e-2);
  }
}

struct HeadCase {
  std::vector<float> x = numbers(6 * 8, 1), weight = numbers(23 * 8, 2);
  std::vector<Token> tokens = {4, 22, 0, 7, 7, 1};
  std::vector<float> weights = {0, 0.5F, 0, 2, -1, 0};
  std::vector<float> losses = std::vector<float>(6);
  Targets targets() const { return {tokens, weights}; }
};

TEST_F(Operators, HeadLossIsThatOfTheTokensThatCount) {
  HeadCase of;
  head_loss(gemm_, 8, of.weight, of.x, of.targets(), of.losses, {});
  for (std::size_t t = 0; t < 6; ++t) {
    double total = 0, target = 0;
    for (std::size_t word = 0; word < 23; ++word) {
      double logit = 0;
      for (std::size_t i = 0; i < 8; ++i)
        logit += double{of.x[t * 8 + i]} * of.weight[word * 8 + i];
      total += std::exp(logit);
      if (word == of.tokens[t]) target = logit;
    }
    EXPECT_NEAR(of.losses[t], of.weights[t] == 0 ? 0 : std::log(total) - target, 1e-5);
  }
}

TEST_F(Operators, HeadLossHasTheGradientOfItsWeightedSum) {
  HeadCase of;
  std::vector<float> dx(of.x.size(), 9.0F), dweight(of.weight.size());
  head_loss(gemm_, 8, of.weight, of.x, of.targets(), of.losses, {dx, dweight});
  const auto loss = [&] {
    head_loss(gemm_, 8, of.weight, of.x, of.targets(), of.losses, {});
    return weighted_sum(of.losses, of.weights);
  };
  EXPECT_LT(gradient_error(of.x, dx, loss), kTolerance);
  EXPECT_LT(gradient_error(of.weight, dweight, loss), kTolerance);
}

TEST_F(Operators, HeadLossTakesManyAnswerTokensInParts) {
  constexpr std::size_t kTokens = 600;
  const std::vector<float> x = numbers(kTokens * 8, 1), weight = numbers(23 * 8, 2);
  const std::vector<Token> tokens(kTokens, 5);
  const std::vector<float> weights(kTokens, 1.0F);
  std::vector<float> losses(kTokens), dx(x.size());
  head_loss(gemm_, 8, weight, x, {tokens, weights}, losses, {.x = dx});
  for (const std::size_t at : {0U, 255U, 256U, 599U}) {
    std::vector<float> one(1), done(8);
    head_loss(gemm_, 8, weight, std::span(x).subspan(at * 8, 8),
              {std::span(tokens).first(1), std::span(weights).first(1)}, one, {.x = done});
    EXPECT_EQ(losses[at], one[0]);
    EXPECT_EQ(std::vector(dx.begin() + static_cast<long>(at * 8),
                          dx.begin() + static_cast<long>(at * 8 + 8)),
              done);
  }
}

TEST_F(Operators, EmbeddingPicksRowsAndAddsGradientsToThem) {
  const std::vector<float> table = numbers(4 * 3, 1);
  const std::vector<Token> tokens = {2, 0, 2};
  std::vector<float> x(9);
  embedding_forward(table, tokens, x);
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(x[t * 3 + i], table[tokens[t] * 3 + i]);
  const std::vector<float> dx = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<float> dtable(12);
  embedding_backward(tokens, dx, dtable);
  EXPECT_EQ(dtable, (std::vector<float>{4, 5, 6, 0, 0, 0, 8, 10, 12, 0, 0, 0}));
}

}  // namespace
}  // namespace loam::train
