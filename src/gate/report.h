// The gate's report: what was measured, with what, and what follows. docs/formats/gate-report.md.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/digest.h"
#include "dataset/ratings.h"
#include "gate/difference.h"
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
  /// Gates that this node had run before for the same base and data set: of other adapters, and of
  /// this one with another slice.
  std::uint32_t candidates_before = 0;
  std::uint32_t tries_before = 0;
  std::uint32_t near_duplicates = 0;  // held-out answers that were left out, as Slice has it
  Nonce nonce{};
  std::string version;       // of this program
  std::string engine_build;  // that scored
  std::string cpu_class;
  /// Of a gate that ran again: which report it repeats, and how far the two agree. The one who
  /// repeated it says so: a reader who has both compares them.
  struct Replay {
    crypto::Digest of{};  // SHA-256 of the first report's text
    Difference found;
    friend bool operator==(const Replay&, const Replay&) = default;
  };
  std::optional<Replay> replay = {};
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

}  // namespace loam::gate
