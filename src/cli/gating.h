// The gate as the command line runs it: which files are measured, with what, and where its report
// lies. No node is needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
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
  // Of an earlier run that is done again, or committed to; else drawn, and counted.
  std::optional<gate::Nonce> nonce;
  std::optional<std::uint32_t> candidates_before;
};

struct GateRun {
  gate::Report report;
  env::Path file;  // report.json; report.md lies beside it
  struct Part {
    std::string what;
    double seconds = 0;
  };
  std::vector<Part> parts;  // what took how long
};

/// Whether measuring an adapter of `base` fits into `bytes_max` bytes of memory; 0: into any.
/// @error ResourceExhausted  names both sizes.
Result<> check_gate_memory(const catalog::Model& base, std::uint64_t bytes_max);

/// Where the newest report on an adapter lies, or will.
Result<env::Path> gate_report_file(const Invocation& invocation, const crypto::Digest& adapter);

/// Verifies the data sets, measures base and candidate, and writes the report.
/// @error NotFound  no such training or model. InvalidArgument  it has no adapter (yet), or it is
///        not known what it learned from. As verified_root(), gate::draw_slice(), gate::measure().
Result<GateRun> run_gate(Invocation& invocation, const GateOrder& order);

/// @error NotFound, Corrupt  as gate::parse_report().
Result<gate::Report> read_gate_report(const env::Path& file);

}  // namespace loam::cli
