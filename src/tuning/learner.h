// What a run trains, and what the model says with it.
#pragma once

#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "train/model.h"
#include "train/optimizer.h"
#include "tuning/recipe.h"

namespace loam::tuning {

/// An adapter of a model that stays as it is, or all parameters.
using Parameters = std::variant<train::Adapter, train::Weights>;

/// A recipe as the trainer takes it.
train::AdapterOptions adapter_options(const Recipe& recipe);
train::Keep keep_of(const Recipe& recipe);

/// By recipe.full one or the other, as fresh as a run begins with it. Not thread-safe.
class Learner {
 public:
  /// Both must outlive this; the base is only read.
  Learner(train::Gemm& gemm, const train::Weights& base, const Recipe& recipe);
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  const Parameters& trained() const { return trained_; }
  train::Spans parameters() { return spans_of(trained_); }
  train::Spans gradient() { return spans_of(gradient_); }
  /// For each span, whether weight decay holds for it; empty: for all.
  std::vector<bool> decayed() const;

  /// As train::Model has them, with what was learned so far.
  void losses(const train::Batch& batch, std::span<float> losses);
  /// The same without.
  void base_losses(const train::Batch& batch, std::span<float> losses);
  /// Adds to gradient(). @return the weighted sum of losses.
  double accumulate(const train::Batch& batch);

 private:
  static train::Spans spans_of(Parameters& parameters);

  Parameters trained_, gradient_;
  train::Model base_;
  std::optional<train::Model> whole_;  // over trained_, if that is all parameters
};

}  // namespace loam::tuning
