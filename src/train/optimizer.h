// One step of training: how far to go, how much of the gradient to believe, and AdamW.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace loam::train {

/// The parameters of a run, or their gradients: always the same spans in the same order.
using Spans = std::vector<std::span<float>>;

/// Linear warm-up, then half a cosine down to `rate_min`.
struct Schedule {
  double rate_max = 2e-4;
  double rate_min = 0;
  std::uint64_t warmup_steps = 0;
  std::uint64_t steps = 1;  // of the whole run

  /// The learning rate of step `step`, counted from 0. The first is above 0 already, the first
  /// after the warm-up is `rate_max`, and from `steps` on it is `rate_min`.
  double rate(std::uint64_t step) const;
};

/// The length of all gradients as one vector.
double global_norm(const Spans& gradients);

/// Scales `gradients` down to that length if they are longer; returns what it was before.
double clip_to_norm(const Spans& gradients, double norm_max);

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  std::vector<bool> decayed = {};  // for each span, whether it decays; empty: all do
};

/// What a run must save, besides the parameters, to continue as if it had never stopped.
struct AdamWState {
  std::uint64_t steps = 0;
  std::vector<float> mean;    // of the gradients; all spans one after the other
  std::vector<float> square;  // of the squared gradients
};

/// @source Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
class AdamW {
 public:
  AdamW(const AdamWOptions& options, std::size_t parameters);
  /// Continues from `state`.
  AdamW(const AdamWOptions& options, AdamWState state);

  void step(const Spans& parameters, const Spans& gradients, double rate);

  const AdamWState& state() const { return state_; }

 private:
  AdamWOptions options_;
  AdamWState state_;
};

}  // namespace loam::train
