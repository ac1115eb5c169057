#include "gate/statistics.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace loam::gate {
namespace {

constexpr std::uint64_t kResamplesMin = 2000;
/// Resamples beyond an end, at least: of so few, how far out the end lies is known to a third.
/// Chosen.
constexpr std::uint64_t kTailMin = 10;
/// Seconds. A report, which anybody may have written, is judged by whoever reads it. Chosen.
constexpr std::uint64_t kDrawsMax = 250'000'000;
constexpr std::size_t kFewValues = 100;  // with fewer it is memory that bounds. Chosen.

std::int64_t rounded(double value) {
  return static_cast<std::int64_t>(value < 0 ? value - 0.5 : value + 0.5);
}

}  // namespace

Draws::Draws(const crypto::Digest& seed) {
  for (std::size_t i = 0; i < sizeof(state_); ++i)
    state_ |= static_cast<std::uint64_t>(seed.at(i)) << (8 * i);
}

std::uint64_t Draws::next() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double mean_of(std::span<const std::int64_t> values) {
  double sum = 0;
  for (const std::int64_t value : values) sum += static_cast<double>(value);
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double deviation_of(std::span<const std::int64_t> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const std::int64_t value : values) {
    const double off = static_cast<double>(value) - mean;
    sum += off * off;
  }
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

std::optional<Interval> bootstrap_mean(std::span<const std::int64_t> values, Draws draws,
                                       std::uint64_t one_in) {
  const std::uint64_t affordable = kDrawsMax / std::max(values.size(), kFewValues);
  if (one_in > affordable / kTailMin) return std::nullopt;
  const std::uint64_t resamples = std::max(kResamplesMin, kTailMin * one_in);
  const std::uint64_t tail = resamples / one_in;
  std::vector<double> means(resamples);
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      sum += static_cast<double>(values[draws.below(values.size())]);
    mean = sum / static_cast<double>(values.size());
  }
  std::ranges::sort(means);
  return Interval{.mean = rounded(mean_of(values)),
                  .low = rounded(means[tail]),
                  .high = rounded(means[resamples - 1 - tail])};
}

double sign_test(std::uint64_t wins, std::uint64_t trials) {
  // Weights relative to the middle: 2^-trials itself would vanish.
  const std::uint64_t middle = trials / 2;
  double all = 1, tail = wins <= middle ? 1 : 0;
  double weight = 1;
  for (std::uint64_t i = middle; i < trials; ++i) {
    weight *= static_cast<double>(trials - i) / static_cast<double>(i + 1);
    all += weight;
    if (i + 1 >= wins) tail += weight;
  }
  weight = 1;
  for (std::uint64_t i = middle; i > 0; --i) {
    weight *= static_cast<double>(i) / static_cast<double>(trials - i + 1);
    all += weight;
    if (i - 1 >= wins) tail += weight;
  }
  return tail / all;
}

double low_sum_test(std::span<const std::uint32_t> ends, std::uint64_t sum) {
  if (sum < ends.size()) return 0;
  // chances[i]: that the numbers so far add up to i more than the least they can.
  std::vector<double> chances(sum - ends.size() + 1);
  chances[0] = 1;
  for (const std::uint32_t end : ends) {
    std::vector<double> next(chances.size());
    for (std::size_t i = 0; i < next.size(); ++i) {
      for (std::size_t less = 0; less <= i && less < end; ++less) next[i] += chances[i - less];
      next[i] /= end;
    }
    chances = std::move(next);
  }
  double out = 0;
  for (const double chance : chances) out += chance;
  return out;
}

}  // namespace loam::gate
