// Intervals and tests over whole numbers. Deterministic: nothing but IEEE 754's basic operations,
// in a fixed order.
#pragma once

#include <cstdint>
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

/// A mean, and where it lies with 95 of 100 resamples.
struct Interval {
  std::int64_t mean = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
};
/// @source Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13 (percentiles).
/// `values` are not empty.
Interval bootstrap_mean(std::span<const std::int64_t> values, Draws draws);

double mean_of(std::span<const std::int64_t> values);
/// Of a sample: divided by their number less one; 0 for fewer than two.
double deviation_of(std::span<const std::int64_t> values);

/// How likely `wins` or more heads are in `trials` throws of a fair coin.
double sign_test(std::uint64_t wins, std::uint64_t trials);

}  // namespace loam::gate
