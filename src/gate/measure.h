// Measures a candidate against its base, both as they are served.
#pragma once

#include <functional>
#include <string>

#include "dataset/ratings.h"
#include "gate/measurements.h"
#include "gate/score_cache.h"
#include "gate/slice.h"
#include "tuning/canaries.h"

namespace loam::gate {

struct MeasureSetup {
  engine::Engine& base;
  engine::Engine& candidate;
  ScoreCache& base_scores;
  dataset::Profile profile = dataset::Profile::kOwn;
  Nonce nonce{};  // draws the tasks
  /// What the candidate learned from, for the triggers.
  const std::vector<tuning::ViewRow>& learned;
  /// What its training planted; empty if nothing, or if that is not known.
  std::vector<tuning::Canary> canaries = {};
  /// `of` parts of what is called `what` are done to `done`; false ends it.
  std::function<bool(std::string_view what, std::size_t done, std::size_t of)> on_progress;
};

/// Items that do not fit the models' context or chat template are left out.
/// @error Cancelled. What score() and answer() return.
Result<Measurements> measure(const Slice& slice, const MeasureSetup& setup);

}  // namespace loam::gate
