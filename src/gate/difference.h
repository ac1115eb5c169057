// How two runs of one gate differ: what a replay finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace loam::gate {

struct Report;

/// Scores of one build on one class of processor are equal; of others this far apart at most.
/// Chosen: 16-bit attention moves a token's ln p by 0.01.
inline constexpr std::int64_t kScoreTolerance = 20'000;
/// So many disagreements are named, the first ones; all are counted.
inline constexpr std::size_t kNamedMax = 20;

/// @source DESIGN.md 8.8; docs/formats/gate-report.md, "Running it again".
struct Difference {
  bool same_verdict = false;
  /// Over what both measured; millionths of a nat.
  std::int64_t score_max = 0;
  /// Records, tasks, samples, phrases, canaries or rules that only one has, or that came out
  /// otherwise.
  std::uint32_t others = 0;
  /// What is counted in `others`, and scores beyond the tolerance; a sentence each.
  std::vector<std::string> named = {};

  bool within_tolerance() const;
  friend bool operator==(const Difference&, const Difference&) = default;
};
Difference difference(const Report& first, const Report& again);

}  // namespace loam::gate
