// The gate as the command line runs it: which files are measured, and with what. No node is needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "cli/gate_reports.h"
#include "cli/invocation.h"
#include "gate/report.h"
#include "tuning/recipe.h"

namespace loam::cli {

struct GateOrder {
  std::string adapter;              // an id of `loam train ls`, or a model that has an adapter
  std::optional<std::string> data;  // what it learned from; a training knows its own
  std::optional<std::string> newer;
  std::optional<std::string> profile;  // "own" if not given
  std::vector<std::string> keys;       // of the data sets' logs
  /// How it was trained, on the data set itself; a training here knows its own.
  std::optional<tuning::Recipe> recipe;
  std::optional<gate::Nonce> nonce;  // that was committed to; else drawn
  /// The gate of an earlier report, run again: nonce, profile and what counts are the report's, and
  /// base and data sets must be.
  struct Repeated {
    gate::Report report;
    crypto::Digest sha256{};  // of its text
  };
  std::optional<Repeated> repeated = {};
};

struct GateRun {
  gate::Report report;
  env::Path file;  // as keep_gate_report() says
  struct Part {
    std::string what;
    double seconds = 0;
  };
  std::vector<Part> parts;  // what took how long
};

/// Whether measuring an adapter of `base` fits into `bytes_max` bytes of memory; 0: into any.
/// @error ResourceExhausted  names both sizes.
Result<> check_gate_memory(const catalog::Model& base, std::uint64_t bytes_max);

/// Verifies the data sets, measures base and candidate, and keeps the report. Of a gate that is run
/// again the first report stays what and where it is, whatever comes out.
/// @error NotFound  no such training or model. InvalidArgument  it has no adapter (yet), or it is
///        not known what it learned from; what the repeated report is about is something else. As
///        verified_root(), gate::draw_slice(), gate::measure().
Result<GateRun> run_gate(Invocation& invocation, const GateOrder& order);

}  // namespace loam::cli
