// What a step's examples teach: the losses of all stages, and their gradients.
#pragma once

#include <memory>
#include <span>

#include "tuning/batches.h"
#include "tuning/examples.h"
#include "tuning/learner.h"
#include "tuning/recipe.h"

namespace loam::tuning {

/// Not thread-safe. Gives the same bits on any number of threads.
class Objective {
 public:
  virtual ~Objective() = default;

  /// Adds the gradient of a step's loss to the learner's.
  /// @return that loss: for imitation the mean over the tokens to be learned, in nat; for
  ///         preferences the mean over the examples.
  virtual double accumulate(std::span<const BatchPlan> batches) = 0;

  /// Whether all that one example's loss is made of is a number, as the learner is now.
  virtual bool is_finite(std::size_t example) = 0;
};

/// The objective of recipe.stage. All must outlive it.
std::unique_ptr<Objective> make_objective(Learner& learner, const Recipe& recipe,
                                          std::span<const Example> examples);

}  // namespace loam::tuning
