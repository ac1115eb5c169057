// The gate's report: what was measured, with what, and what follows. docs/formats/gate-report.md.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/digest.h"
#include "dataset/ratings.h"
#include "gate/rules.h"
#include "gate/slice.h"

namespace loam::gate {

/// All that a report is made of; the verdict follows from it.
struct Report {
  crypto::Digest base{};
  crypto::Digest adapter{};
  crypto::Digest data_set{};              // root, of what was learned from
  std::optional<crypto::Digest> newer{};  // root, of what the slice was drawn from
  dataset::Profile profile = dataset::Profile::kOwn;
  bool self_gated = true;  // by whom it was trained
  /// Other adapters that this node had gated for the same base and data set.
  std::uint32_t candidates_before = 0;
  Nonce nonce{};
  std::string version;       // of this program
  std::string engine_build;  // that scored
  std::string cpu_class;
  Measurements measured;

  Verdict verdict() const;
};

/// One text for one report.
std::string report_text(const Report& report);
/// Reads back what report_text() wrote.
/// @error Corrupt  it is no report, or was changed: it says something else than what follows from
///        its measurements. Unsupported  of another format.
Result<Report> parse_report(std::string_view text);
inline constexpr std::uint64_t kReportBytesMax = std::uint64_t{16} << 20;

/// A page for people.
std::string report_page(const Report& report);

/// How another run of the same gate differs. @source DESIGN.md 8.8
struct Difference {
  bool same_verdict = false;
  /// Over what both measured; millionths of a nat.
  std::int64_t score_max = 0;
  /// Records, tasks or samples that only one has, or that came out otherwise.
  std::size_t others = 0;
  bool within_tolerance() const;
};
/// Scores of one build on one class of processor are equal; of others this far apart at most.
/// Chosen: 16-bit attention moves a token's ln p by 0.01.
inline constexpr std::int64_t kScoreTolerance = 20'000;
Difference difference(const Report& first, const Report& again);

}  // namespace loam::gate
