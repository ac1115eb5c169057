#include "train/elementary.h"

#include <gtest/gtest.h>

#include <cmath>

namespace loam::train {
namespace {

TEST(Elementary, ExponentialIsThatOfTheLibraryToFourteenDigits) {
  for (double x = -690; x < 690; x += 0.773)
    EXPECT_LT(std::abs(exponential(x) / std::exp(x) - 1), 1e-14) << x;
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(exponential(-1e9), 0);
  EXPECT_EQ(exponential(1e9), exponential(700));
}

TEST(Elementary, LogarithmIsThatOfTheLibraryToFourteenDigits) {
  for (double x = 1e-300; x < 1e300; x *= 1.37)
    EXPECT_LT(std::abs(logarithm(x) - std::log(x)), 1e-14 * (1 + std::abs(std::log(x)))) << x;
  for (double x = 0.5; x < 2; x += 0.0011) EXPECT_NEAR(logarithm(x), std::log(x), 1e-15) << x;
  EXPECT_EQ(logarithm(1), 0);
}

TEST(Elementary, SineAndCosineAreThoseOfTheLibraryToFourteenDigits) {
  for (double x = -40000; x < 40000; x += 7.31) {
    EXPECT_NEAR(sine_cosine(x).sine, std::sin(x), 1e-14) << x;
    EXPECT_NEAR(sine_cosine(x).cosine, std::cos(x), 1e-14) << x;
  }
  for (double x = -7; x < 7; x += 0.01) {
    EXPECT_NEAR(sine_cosine(x).sine, std::sin(x), 1e-15) << x;
    EXPECT_NEAR(sine_cosine(x).cosine, std::cos(x), 1e-15) << x;
  }
  EXPECT_EQ(sine_cosine(0).sine, 0);
  EXPECT_EQ(sine_cosine(0).cosine, 1);
}

}  // namespace
}  // namespace loam::train
