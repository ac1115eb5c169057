// The reports of gates as this machine keeps them, below `gates` in the data folder: for each
// adapter every report, the newest under a name of its own, and replays beside them.
#pragma once

#include <string>
#include <vector>

#include "cli/invocation.h"
#include "gate/report.h"

namespace loam::cli {

/// Where the newest report on an adapter lies, or will.
Result<env::Path> gate_report_file(const Invocation& invocation, const crypto::Digest& adapter);

/// Keeps a report beside all that were kept before. It is the newest on its adapter from now on,
/// unless it is a replay. @return its file; report.md lies beside the newest.
Result<env::Path> keep_gate_report(const Invocation& invocation, const gate::Report& report);

/// The file and what it holds. @error NotFound, Corrupt  as gate::parse_report().
Result<gate::Report> read_gate_report(const env::Path& file);

}  // namespace loam::cli
