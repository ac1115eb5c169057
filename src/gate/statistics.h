// Intervals and tests over whole numbers. Deterministic: nothing but IEEE 754's basic operations,
// in a fixed order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "crypto/digest.h"

namespace loam::gate {

/// Numbers that follow from a seed. @source Steele, Lea, Flood: "Fast splittable pseudorandom
/// number generators", 2014 (SplitMix64).
class Draws {
 public:
  explicit Draws(const crypto::Digest& seed);
  std::uint64_t next();
  /// Below `end`, which is not 0.
  std::uint64_t below(std::uint64_t end) { return next() % end; }

 private:
  std::uint64_t state_ = 0;
};

/// A mean, and where it lies with most resamples.
struct Interval {
  std::int64_t mean = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
};
/// One resample in `one_in` lies below the interval, and one in `one_in` above it.
/// @return nothing if so few can be told only by more resamples than are affordable.
/// @source Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13 (percentiles).
/// `values` are not empty.
std::optional<Interval> bootstrap_mean(std::span<const std::int64_t> values, Draws draws,
                                       std::uint64_t one_in);

double mean_of(std::span<const std::int64_t> values);
/// Of a sample: divided by their number less one; 0 for fewer than two.
double deviation_of(std::span<const std::int64_t> values);

/// How likely `wins` or more heads are in `trials` throws of a fair coin.
double sign_test(std::uint64_t wins, std::uint64_t trials);

/// How likely the sum of as many whole numbers is `sum` or less, each drawn evenly from 1 to its
/// own of `ends`, none of which is 0.
double low_sum_test(std::span<const std::uint32_t> ends, std::uint64_t sum);

}  // namespace loam::gate
