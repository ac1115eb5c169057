// What the tour shows, step by step: a prompt that becomes a better model on another node.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "cli/tour_node.h"
#include "cli/tour_pairs.h"
#include "codec/value.h"
#include "tuning/job.h"

namespace loam::cli {

/// What the steps hand on. Its nodes end with it.
struct Tour {
  Invocation& outer;
  env::Path folder;
  catalog::Model base;
  TourPairs pairs = read_tour_pairs();
  std::unique_ptr<TourNode> a = {}, b = {};
  std::optional<tuning::JobFolder> job = {};
  std::string publication = {};  // its record
  std::string answer_before = {};

  env::Path data_set() const { return folder / "data-set"; }
  env::Path newer_set() const { return folder / "newer-data-set"; }
};

/// What a step came to.
struct TourReport {
  std::string says;       // one line, with the hashes and figures
  codec::Object figures;  // the same for programs
};

struct TourStep {
  std::string_view name;
  std::string_view title;  // what is going to happen
  Result<TourReport> (*run)(Tour&);
};

/// In their order; each needs those before it.
std::span<const TourStep> tour_steps();

}  // namespace loam::cli
