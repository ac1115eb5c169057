#include "gate/statistics.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace loam::gate {
namespace {

TEST(Draws, FollowTheirSeed) {
  // The first outputs of SplitMix64 for seed 0, as its authors' reference code prints them.
  Draws draws{crypto::Digest{}};
  EXPECT_EQ(draws.next(), 0xe220a8397b1dcdafU);
  EXPECT_EQ(draws.next(), 0x6e789e6aa1b965f4U);
}

TEST(BootstrapMean, OfEqualValuesIsThatValue) {
  const std::vector<std::int64_t> values(30, -70);
  const Interval out = *bootstrap_mean(values, Draws{crypto::Digest{1}}, 40);
  EXPECT_EQ(out.mean, -70);
  EXPECT_EQ(out.low, -70);
  EXPECT_EQ(out.high, -70);
}

RC_GTEST_PROP(BootstrapMean, LiesAroundTheMeanAndRepeatsItself, ()) {
  const auto values = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(-1000, 1000)));
  const Draws draws{crypto::Digest{3}};
  const Interval out = *bootstrap_mean(values, draws, 40);
  RC_ASSERT(out.low <= out.mean);
  RC_ASSERT(out.mean <= out.high);
  RC_ASSERT(bootstrap_mean(values, draws, 40)->high == out.high);
}

TEST(BootstrapMean, IsAsWideAsTheNormalDistributionSays) {
  std::vector<std::int64_t> values;  // half 0, half 1000: deviation 500
  for (int i = 0; i < 400; ++i) values.push_back(i % 2 * 1000);
  const Draws draws{crypto::Digest{5}};
  const Interval out = *bootstrap_mean(values, draws, 40);
  EXPECT_NEAR(static_cast<double>(out.high - out.low), 2 * 1.96 * 500 / 20, 10);
  const Interval wider = *bootstrap_mean(values, draws, 1000);
  EXPECT_NEAR(static_cast<double>(wider.high - wider.low), 2 * 3.09 * 500 / 20, 25);
}

TEST(BootstrapMean, IsNotTakenFromFewerResamplesThanItNeeds) {
  const std::vector<std::int64_t> values(1000, 1);
  EXPECT_TRUE(bootstrap_mean(values, Draws{crypto::Digest{5}}, 500));
  EXPECT_FALSE(bootstrap_mean(values, Draws{crypto::Digest{5}}, 25'001));
  EXPECT_FALSE(bootstrap_mean(values, Draws{crypto::Digest{5}}, UINT64_MAX));
}

TEST(Deviation, OfASample) {
  EXPECT_DOUBLE_EQ(deviation_of(std::vector<std::int64_t>{2, 4, 4, 4, 5, 5, 7, 9}) *
                       deviation_of(std::vector<std::int64_t>{2, 4, 4, 4, 5, 5, 7, 9}),
                   32.0 / 7);
  EXPECT_EQ(deviation_of(std::vector<std::int64_t>{2}), 0);
}

TEST(SignTest, CountsThrowsOfACoin) {
  EXPECT_DOUBLE_EQ(sign_test(0, 0), 1);
  EXPECT_DOUBLE_EQ(sign_test(1, 1), 0.5);
  EXPECT_DOUBLE_EQ(sign_test(0, 5), 1);
  EXPECT_DOUBLE_EQ(sign_test(5, 5), 1.0 / 32);
  EXPECT_DOUBLE_EQ(sign_test(4, 5), 6.0 / 32);
  EXPECT_DOUBLE_EQ(sign_test(3, 6), 42.0 / 64);
  EXPECT_NEAR(sign_test(5'082, 10'000), 0.0517, 0.001);  // 1.64 deviations and half a step
}

double low_sum(const std::vector<std::uint32_t>& ends, std::uint64_t sum) {
  return low_sum_test(ends, sum);
}

TEST(LowSumTest, CountsThrowsOfDice) {
  EXPECT_NEAR(low_sum({}, 0), 1, 1e-12);
  EXPECT_NEAR(low_sum({32}, 1), 1.0 / 32, 1e-12);
  EXPECT_NEAR(low_sum({6, 6}, 1), 0, 1e-12);
  EXPECT_NEAR(low_sum({6, 6}, 2), 1.0 / 36, 1e-12);
  EXPECT_NEAR(low_sum({6, 6}, 7), 21.0 / 36, 1e-12);
  EXPECT_NEAR(low_sum({6, 6}, 12), 1, 1e-12);
  EXPECT_NEAR(low_sum({2, 3}, 3), 3.0 / 6, 1e-12);
}

}  // namespace
}  // namespace loam::gate
