// The reports of gates as this machine keeps them, below `gates` in the data folder: for each
// adapter every report under its hash, the newest as report.json, and replays beside them.
#pragma once

#include <string>
#include <vector>

#include "cli/invocation.h"
#include "gate/report.h"

namespace loam::cli {

Result<env::Path> gates_folder(const Invocation& invocation);
/// Where the newest report on an adapter lies, or will.
Result<env::Path> gate_report_file(const Invocation& invocation, const crypto::Digest& adapter);

/// Keeps a report beside all that were kept before in `gates`. It is the newest on its adapter from
/// now on, unless it is a replay. @return its file; report.md lies beside the newest.
Result<env::Path> keep_gate_report(const env::Path& gates, const gate::Report& report);

/// The gates, replays not among them, whose reports of any format are kept in `gates`, for the base
/// and the data set of `report`; not what was drawn as `report` was.
Result<gate::Before> gated_before(const env::Path& gates, const gate::Report& report);

/// Says in `report` what gated_before() finds, unless it is a replay, and keeps it, while nobody
/// else does: of two gates that ran at the same time the one that is done later counts the other.
/// @error Unavailable  another process is at it.
Result<env::Path> count_and_keep(const env::Path& gates, gate::Report& report);

struct KeptReport {
  std::string adapter;  // its hash
  env::Path file;
  bool newest = false;  // what is published if no other is named
  Result<gate::Report> report;
};
/// All of them; of each adapter in the order in which they were made, then the replays.
Result<std::vector<KeptReport>> kept_gate_reports(const env::Path& gates);

/// The file and what it holds. @error NotFound, Corrupt  as gate::parse_report().
Result<gate::Report> read_gate_report(const env::Path& file);

}  // namespace loam::cli
