#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "train/testing/numbers.h"

namespace loam::train {
namespace {

TEST(Schedule, WarmsUpAndThenFollowsHalfACosine) {
  const Schedule schedule{.rate_max = 1, .rate_min = 0.1, .warmup_steps = 3, .steps = 103};
  EXPECT_DOUBLE_EQ(schedule.rate(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.rate(2), 0.75);
  EXPECT_DOUBLE_EQ(schedule.rate(3), 1);
  EXPECT_NEAR(schedule.rate(53), 0.55, 1e-15);
  EXPECT_NEAR(schedule.rate(28), 0.1 + 0.9 * (1 + std::cos(std::numbers::pi / 4)) / 2, 1e-15);
  EXPECT_EQ(schedule.rate(103), 0.1);
  EXPECT_EQ(schedule.rate(5000), 0.1);
}

TEST(Clipping, ScalesOnlyWhatIsTooLong) {
  std::vector<float> a = {3, 0}, b = {0, 0, 4};
  const Spans both = {a, b};
  EXPECT_DOUBLE_EQ(global_norm(both), 5);
  EXPECT_DOUBLE_EQ(clip_to_norm(both, 6), 5);
  EXPECT_EQ(a[0], 3);
  EXPECT_DOUBLE_EQ(clip_to_norm(both, 1), 5);
  EXPECT_FLOAT_EQ(a[0], 0.6F);
  EXPECT_FLOAT_EQ(b[2], 0.8F);
}

TEST(AdamW, FirstStepIsTheRateAgainstTheSignOfTheGradient) {
  std::vector<float> x = {1, 1, 1}, gradient = {0.5F, -2e3F, 0};
  AdamW adam({}, 3);
  adam.step({x}, {gradient}, 0.01);
  EXPECT_FLOAT_EQ(x[0], 0.99F);
  EXPECT_FLOAT_EQ(x[1], 1.01F);
  EXPECT_EQ(x[2], 1);
}

TEST(AdamW, FollowsItsDefinitionOverManySteps) {
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  std::vector<float> x = testing::numbers(5, 1);
  std::vector<double> expected(x.begin(), x.end()), m(5), v(5);
  AdamW adam(options, 5);
  for (int step = 1; step <= 50; ++step) {
    std::vector<float> gradient = testing::numbers(5, static_cast<std::uint64_t>(step) + 10);
    adam.step({std::span(x).first(2), std::span(x).subspan(2)},
              {std::span(gradient).first(2), std::span(gradient).subspan(2)}, 0.02);
    for (std::size_t i = 0; i < 5; ++i) {
      m[i] = 0.8 * m[i] + 0.2 * gradient[i];
      v[i] = 0.95 * v[i] + 0.05 * gradient[i] * gradient[i];
      const double mean = m[i] / (1 - std::pow(0.8, step));
      const double square = v[i] / (1 - std::pow(0.95, step));
      expected[i] -= 0.02 * (mean / (std::sqrt(square) + 1e-6) + 0.1 * expected[i]);
    }
  }
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(x[i], expected[i], 1e-5);
}

TEST(AdamW, OnlyWhatDecaysDecays) {
  std::vector<float> matrix = {2, -2}, norm = {2}, still = {0, 0}, none = {0};
  AdamW adam({.weight_decay = 0.5, .decayed = {true, false}}, 3);
  adam.step({matrix, norm}, {still, none}, 0.1);
  EXPECT_FLOAT_EQ(matrix[0], 1.9F);
  EXPECT_FLOAT_EQ(matrix[1], -1.9F);
  EXPECT_EQ(norm[0], 2);
}

TEST(AdamW, ContinuesFromItsStateAsIfItHadNeverStopped) {
  std::vector<float> x = testing::numbers(9, 1), y = x, gradient = testing::numbers(9, 2);
  AdamW whole({}, 9);
  for (int i = 0; i < 3; ++i) whole.step({x}, {gradient}, 0.1);
  AdamW before({}, 9);
  for (int i = 0; i < 2; ++i) before.step({y}, {gradient}, 0.1);
  AdamW after({}, before.state());
  after.step({y}, {gradient}, 0.1);
  EXPECT_EQ(x, y);
  EXPECT_EQ(after.state().steps, 3);
}

}  // namespace
}  // namespace loam::train
