// A model that is trained: the loss of a batch, and its gradient.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "train/adapter.h"
#include "train/head.h"
#include "train/layer.h"
#include "train/weights.h"

namespace loam::train {

/// Several sequences packed one after the other; no token looks into another sequence.
struct Batch {
  std::span<const Token> tokens;  // below the vocabulary's size
  Starts starts;    // where each sequence begins, and the number of tokens; none is empty
  Targets targets;  // for each token, what should follow it, and how much that counts
};

/// What is in memory from the forward pass to the backward pass.
enum class Keep {
  kProducts,     // of every layer, the results of its products
  kLayerInputs,  // of every layer, its input: a tenth of that for a third more work, same gradients
};

/// Not thread-safe: its team is its own.
class Model {
 public:
  /// `gemm` and `weights` must outlive this; the weights may be changed between calls.
  /// @param positions_max  tokens in a sequence at most.
  Model(Gemm& gemm, const Weights& weights, std::size_t positions_max, Keep keep);

  /// Writes -ln p of each target to `losses`, [tokens]; 0 where the weight is 0.
  /// @param adapter  or null: the model as it is.
  void losses(const Batch& batch, const Adapter* adapter, std::span<float> losses);

  /// Adds the gradient of the weighted sum of losses to `gradient`, which has the adapter's shape.
  /// @return that sum.
  double accumulate(const Batch& batch, const Adapter& adapter, Adapter& gradient);

  /// The same for all parameters of the model, for small ones.
  double accumulate(const Batch& batch, Weights& gradient);

 private:
  void forward(const Batch& batch, const Sequences& sequences, const Adapter* adapter,
               std::size_t first_trained);
  double accumulate(const Batch& batch, const Trained& trained, std::size_t first_trained);
  LayerValues& values_of(std::size_t layer, std::size_t first_trained);

  Gemm& gemm_;
  const Weights& weights_;
  Keep keep_;
  Rope rope_;
  LayerPass pass_;
  std::vector<std::vector<float>> inputs_;  // of each layer from the first trained on, and the end
  std::vector<LayerValues> values_;         // one for each of these layers, or one for all
  std::vector<float> normed_, normed_gradient_, gradient_;  // [tokens, width]
  std::vector<float> losses_;
};

}  // namespace loam::train
