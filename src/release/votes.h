// Whether people dislike an adapter's answers more often than those before it: tests that may be
// asked after every vote.
#pragma once

#include <cstdint>

namespace loam::release {

struct Votes {
  std::uint64_t up = 0, down = 0;
  void add(bool is_down) { (is_down ? down : up) += 1; }
  std::uint64_t all() const { return up + down; }
  friend bool operator==(const Votes&, const Votes&) = default;
};

/// The share of thumbs down to expect of what answers now, in (0, 1). Without votes a tenth: the
/// estimate of Laplace, with ten votes before the first. Never below a twentieth, where a single
/// thumb would decide, and never above a half, where there is nothing left to be worse than.
double usual_rate(const Votes& votes);

/// What a vote weighs for "the rate is `usual` + 0.2" against "the rate is `usual`": the logarithm
/// of its likelihood ratio, in millionths.
std::int64_t vote_weight(double usual, bool is_down);

/// Bounds of the sums of weights, in millionths.
/// At or above the first it is worse, at or below the second it is not; each is wrong in one of 20
/// cases at most. @source Wald, "Sequential Tests of Statistical Hypotheses", 1945.
inline constexpr std::int64_t kWorse = 2'944'439;  // ln(0.95 / 0.05)
inline constexpr std::int64_t kNotWorse = -kWorse;
/// For a sum that is never let below zero, over as many votes as come: an adapter that is as good
/// as before it passes this once in 200 votes or more. @source Page, "Continuous Inspection
/// Schemes", 1954; Lorden, "Procedures for Reacting to a Change in Distribution", 1971.
inline constexpr std::int64_t kTurnedWorse = 5'298'317;  // ln(200)

}  // namespace loam::release
