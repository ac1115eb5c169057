// A gate of somebody's report, run again here: from its file, or from the publication that names
// it, with what this machine has under the report's hashes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/gating.h"

namespace loam::cli {

struct ReplayOrder {
  std::string what;  // a report's file, or a publication as Published::find() knows it
  std::optional<std::string> data, newer;  // if not given, looked for by their roots
  std::vector<std::string> keys;           // of the data sets' logs
  bool attest = false;                     // signs what was measured, of a publication
};

struct Replayed {
  gate::Report first;
  GateRun run;
  std::string attestation;  // its record; empty if none was asked for
};

/// Measures again as the report says, and keeps what came out beside the first report, which stays
/// as it is. With `attest` that is signed and public, whether it agrees or not.
/// @error InvalidArgument  a file where a publication is needed. Corrupt  the publication's
/// lineage.
///        Else as run_gate(), and of a publication as read_offers().
Result<Replayed> replay_gate(Invocation& invocation, const ReplayOrder& order);

}  // namespace loam::cli
