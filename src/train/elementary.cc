#include "train/elementary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/check.h"

namespace loam::train {
namespace {

constexpr double kLn2High = 0x1.62e42fefp-1;  // short, so that its product with a whole is exact
constexpr double kLn2Low = 0x1.473de6af278edp-34;
constexpr double kHalfPiHigh = 0x1.921fb544p0;
constexpr double kHalfPiLow = 0x1.0b4611a626331p-34;

/// The nearest whole number: adding this much leaves no bit for a fraction.
double nearest(double x) {
  constexpr double kShift = 0x1.8p52;
  return (x + kShift) - kShift;
}

/// The Taylor series x^from/from! -+ x^(from+2)/(from+2)! ... of sine (1) or cosine (0).
double alternating_series(double x, int from) {
  double sum = 0;
  for (int n = from + 18; n > from; n -= 2) sum = (1 - sum) * (x * x / (n * (n - 1)));
  return (1 - sum) * (from == 1 ? x : 1);
}

}  // namespace

double exponential(double x) {
  if (std::isnan(x)) return x;
  if (x < -700) return 0;
  const double whole = nearest(std::min(x, 700.0) * 0x1.71547652b82fep0);  // 1 / ln 2
  const double rest = (std::min(x, 700.0) - whole * kLn2High) - whole * kLn2Low;
  double sum = 1;
  for (int n = 14; n >= 1; --n) sum = 1 + sum * rest / n;
  const auto power = static_cast<std::uint64_t>(static_cast<std::int64_t>(whole) + 1023);
  return sum * std::bit_cast<double>(power << 52);
}

double logarithm(double x) {
  if (!(x >= 0x1p-1022 && x <= 0x1.fffffffffffffp1023))
    return std::numeric_limits<double>::quiet_NaN();
  // x = m 2^e with m between the roots of 1/2 and 2, whose bits are those of 0x1.6a09ep-1 and up.
  constexpr std::uint64_t kRootHalf = std::bit_cast<std::uint64_t>(0x1.6a09ep-1);
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x) - kRootHalf;
  const double e = static_cast<double>(static_cast<std::int64_t>(bits) >> 52);
  const double m = std::bit_cast<double>((bits & ((1ULL << 52) - 1)) + kRootHalf);
  const double s = (m - 1) / (m + 1);  // ln m = 2 (s + s^3/3 + s^5/5 + ...)
  double sum = 0;
  for (int n = 25; n >= 1; n -= 2) sum = sum * (s * s) + 1.0 / n;
  return e * kLn2High + (2 * s * sum + e * kLn2Low);
}

SineCosine sine_cosine(double angle) {
  LOAM_CHECK(angle > -1e6 && angle < 1e6);
  const double quarters = nearest(angle * 0x1.45f306dc9c883p-1);  // 2 / pi
  const double rest = (angle - quarters * kHalfPiHigh) - quarters * kHalfPiLow;
  const double sine = alternating_series(rest, 1);
  const double cosine = alternating_series(rest, 0);
  switch (static_cast<std::int64_t>(quarters) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
  }
}

}  // namespace loam::train
