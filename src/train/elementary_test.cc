#include "train/elementary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace loam::train {
namespace {

/// `count` numbers from `from` to `to`, evenly spaced.
std::vector<double> range(double from, double to, int count) {
  std::vector<double> out;
  for (int i = 0; i <= count; ++i) out.push_back(from + (to - from) * i / count);
  return out;
}

TEST(Elementary, ExponentialIsThatOfTheLibraryToFourteenDigits) {
  for (const double x : range(-690, 690, 1800))
    EXPECT_LT(std::abs(exponential(x) / std::exp(x) - 1), 1e-14) << x;
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(exponential(-1e9), 0);
  EXPECT_EQ(exponential(1e9), exponential(700));
}

TEST(Elementary, LogarithmIsThatOfTheLibraryToFourteenDigits) {
  for (const double power : range(-300, 300, 4000)) {
    const double x = std::pow(10, power);
    EXPECT_LT(std::abs(logarithm(x) - std::log(x)), 1e-14 * (1 + std::abs(std::log(x)))) << x;
  }
  for (const double x : range(0.5, 2, 1500)) EXPECT_NEAR(logarithm(x), std::log(x), 1e-15) << x;
  EXPECT_EQ(logarithm(1), 0);
}

TEST(Elementary, WhatIsNoNumberStaysNone) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(exponential(kNaN)));
  EXPECT_EQ(exponential(-kInfinity), 0);
  EXPECT_EQ(exponential(kInfinity), exponential(700));
  for (const double x : {kNaN, kInfinity, -kInfinity, 0.0, -1.0, 0x1p-1023})
    EXPECT_TRUE(std::isnan(logarithm(x))) << x;
}

TEST(Elementary, SineAndCosineAreThoseOfTheLibraryToFourteenDigits) {
  for (const double x : range(-40000, 40000, 11000)) {
    EXPECT_NEAR(sine_cosine(x).sine, std::sin(x), 1e-14) << x;
    EXPECT_NEAR(sine_cosine(x).cosine, std::cos(x), 1e-14) << x;
  }
  for (const double x : range(-7, 7, 1400)) {
    EXPECT_NEAR(sine_cosine(x).sine, std::sin(x), 1e-15) << x;
    EXPECT_NEAR(sine_cosine(x).cosine, std::cos(x), 1e-15) << x;
  }
  EXPECT_EQ(sine_cosine(0).sine, 0);
  EXPECT_EQ(sine_cosine(0).cosine, 1);
}

}  // namespace
}  // namespace loam::train
