#include "dataset/bridging.h"

#include <algorithm>
#include <cstdlib>

namespace loam::dataset {
namespace {

/// Numbers are millionths; products are divided at once, towards zero.
constexpr std::int64_t kOne = 1'000'000;
constexpr std::int64_t kInterceptRidge = 150'000;  // 0.15 a voter or item
constexpr std::int64_t kFactorRidge = 30'000;      // 0.03
constexpr int kRounds = 60;

std::int64_t times(std::int64_t a, std::int64_t b) { return a * b / kOne; }
/// a / b; nothing is learned from nothing.
std::int64_t over(std::int64_t a, std::int64_t b) { return b == 0 ? 0 : a * kOne / b; }
/// Nothing that is fitted to values of -1 and 1 needs to be larger; products stay in 64 bits.
std::int64_t bounded(std::int64_t x) { return std::clamp(x, -4 * kOne, 4 * kOne); }

struct Side {
  std::vector<std::int64_t> intercept, factor;
};

class Fit {
 public:
  Fit(std::span<const Ballot> ballots, std::uint32_t voters, std::uint32_t items)
      : ballots_(ballots) {
    voters_ = {std::vector<std::int64_t>(voters), std::vector<std::int64_t>(voters)};
    items_ = {std::vector<std::int64_t>(items), std::vector<std::int64_t>(items)};
    // The first voter's camp is called positive; who votes against him on the whole, negative.
    for (std::uint32_t i = 0; i < items; ++i)
      items_.factor[i] = i % 2 == 0 ? kOne / 10 : -kOne / 10;
    for (const Ballot& ballot : ballots)
      if (ballot.voter == 0) items_.factor[ballot.item] = ballot.value * kOne / 2;
    std::int64_t sum = 0;
    for (const Ballot& ballot : ballots) sum += ballot.value;
    mean_ = ballots.empty() ? 0 : sum * kOne / static_cast<std::int64_t>(ballots.size());
  }

  void run() {
    for (int round = 0; round < kRounds; ++round) {
      fit_factors(voters_, items_, &Ballot::voter, &Ballot::item);
      fit_intercepts(voters_, items_, &Ballot::voter, &Ballot::item);
      fit_factors(items_, voters_, &Ballot::item, &Ballot::voter);
      fit_intercepts(items_, voters_, &Ballot::item, &Ballot::voter);
    }
  }

  const Side& voters() const { return voters_; }
  const Side& items() const { return items_; }

 private:
  using Number = std::uint32_t Ballot::*;

  std::int64_t rest(const Side& a, const Side& b, std::uint32_t i, std::uint32_t k,
                    int value) const {
    return value * kOne - mean_ - a.intercept[i] - b.intercept[k];
  }

  /// The ridge regression of each factor of `a`, everything else held.
  void fit_factors(Side& a, const Side& b, Number of_a, Number of_b) const {
    std::vector<std::int64_t> dot(a.factor.size()), square(a.factor.size());
    for (const Ballot& ballot : ballots_) {
      const std::uint32_t i = ballot.*of_a, k = ballot.*of_b;
      dot[i] += times(rest(a, b, i, k, ballot.value), b.factor[k]);
      square[i] += times(b.factor[k], b.factor[k]);
    }
    for (std::size_t i = 0; i < a.factor.size(); ++i)
      a.factor[i] = bounded(over(dot[i], square[i] + kFactorRidge));
  }

  void fit_intercepts(Side& a, const Side& b, Number of_a, Number of_b) const {
    std::vector<std::int64_t> sum(a.intercept.size()), count(a.intercept.size());
    for (const Ballot& ballot : ballots_) {
      const std::uint32_t i = ballot.*of_a, k = ballot.*of_b;
      sum[i] += ballot.value * kOne - mean_ - b.intercept[k] - times(a.factor[i], b.factor[k]);
      count[i] += kOne;
    }
    for (std::size_t i = 0; i < a.intercept.size(); ++i)
      a.intercept[i] = bounded(over(sum[i], count[i] + kInterceptRidge));
  }

  std::span<const Ballot> ballots_;
  std::int64_t mean_ = 0;
  Side voters_, items_;
};

}  // namespace

std::vector<ItemScore> bridge(std::span<const Ballot> ballots, std::uint32_t voters,
                              std::uint32_t items) {
  Fit fit(ballots, voters, items);
  fit.run();
  std::vector<ItemScore> out(items);
  std::vector<int> signs(items);  // bit 0: a voter of the negative camp, bit 1: of the positive one
  for (const Ballot& ballot : ballots)
    signs[ballot.item] |= fit.voters().factor[ballot.voter] < 0 ? 1 : 2;
  for (std::uint32_t i = 0; i < items; ++i) out[i] = {fit.items().intercept[i], signs[i] == 3};
  return out;
}

}  // namespace loam::dataset
