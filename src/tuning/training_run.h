// A fine-tuning run: one step after the other, and its state. Knows no file, clock or process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "train/cost.h"
#include "train/optimizer.h"
#include "tuning/batches.h"
#include "tuning/checkpoint.h"
#include "tuning/examples.h"
#include "tuning/learner.h"
#include "tuning/objective.h"
#include "tuning/recipe.h"

namespace loam::tuning {

/// What a step did.
struct StepReport {
  std::uint64_t step = 0;    // counted from 1
  std::uint64_t epoch = 0;   // counted from 0
  double loss = 0;           // as Objective has it, before the step
  double gradient_norm = 0;  // before clipping
  double rate = 0;           // the learning rate
  std::size_t tokens = 0;    // that went through the model
};

/// Bytes that a run takes.
std::uint64_t run_bytes(const Recipe& recipe, const train::Shape& shape, bool has_head);

/// Whether a run with that recipe fits into memory.
/// @error ResourceExhausted  names both sizes; the hint says what needs less.
Result<> check_memory(const Recipe& recipe, const train::Shape& shape, bool has_head,
                      std::uint64_t bytes_max);

/// Steps of a run before each of its passes over examples of so many tokens, and after the last;
/// recipe.max_steps may end it earlier.
std::vector<std::uint64_t> steps_before_passes(const Recipe& recipe,
                                               std::span<const std::size_t> lengths);
/// Steps of the whole run.
std::uint64_t steps_of(const Recipe& recipe, std::span<const std::uint64_t> before_passes);
/// Arithmetic of the whole run, in 1e9 operations, if one pass has that traffic; an estimate.
double run_gflop(const Recipe& recipe, const train::Shape& shape, const train::Traffic& pass,
                 std::span<const std::uint64_t> before_passes);

/// Trains what the recipe says, by what recipe.stage says. The same recipe, weights and examples
/// give the same bits on any number of threads, and after restore().
class TrainingRun {
 public:
  /// All must outlive this. There is at least one example, no text longer than recipe.cutoff_len.
  TrainingRun(train::Gemm& gemm, const train::Weights& weights, const Recipe& recipe,
              std::span<const Example> examples);

  std::uint64_t steps() const { return schedule_.steps; }  // of the whole run
  std::uint64_t step() const { return step_; }             // made so far
  const Parameters& trained() const { return learner_.trained(); }
  /// Arithmetic of the whole run, in 1e9 operations; an estimate.
  double gflop() const;

  /// Makes the next step; step() is below steps().
  /// @error Corrupt  the loss is no number any more; nothing was changed. The message names the
  ///        records whose loss it is, three at most; if each has one, those that were learned from.
  Result<StepReport> advance();

  /// @param run  what tells this run from others.
  Checkpoint checkpoint(const crypto::Digest& run);
  /// @error Corrupt  a checkpoint of another shape.
  Result<> restore(const Checkpoint& checkpoint);

 private:
  struct Place {
    std::uint64_t epoch;
    std::size_t first_batch;
  };
  std::vector<BatchPlan> plan_of(std::uint64_t epoch) const;
  Place place_of(std::uint64_t step) const;
  train::AdamWOptions optimizer_options() const;
  std::unexpected<Error> no_number(std::span<const BatchPlan> batches);

  const train::Weights& base_;
  const Recipe& recipe_;
  std::span<const Example> examples_;
  std::vector<std::size_t> lengths_;
  std::vector<std::uint64_t> steps_before_;  // each epoch, and at the end of the last one
  train::Schedule schedule_;
  Learner learner_;
  std::unique_ptr<Objective> objective_;
  train::AdamW optimizer_;
  std::uint64_t step_ = 0;
  std::uint64_t planned_epoch_;
  std::vector<BatchPlan> plan_;  // of that epoch
};

}  // namespace loam::tuning
