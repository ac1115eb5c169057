#include "train/model.h"

#include <algorithm>

#include "base/check.h"
#include "train/embedding.h"
#include "train/norm.h"

namespace loam::train {

Model::Model(Gemm& gemm, const Weights& weights, std::size_t positions_max, Keep keep)
    : gemm_(gemm),
      weights_(weights),
      keep_(keep),
      rope_(weights.shape.rope, positions_max),
      pass_(gemm, weights, rope_) {}

LayerValues& Model::values_of(std::size_t layer, std::size_t first_trained) {
  const bool own = keep_ == Keep::kProducts && layer >= first_trained;
  return values_[own ? layer - first_trained : 0];
}

void Model::forward(const Batch& batch, const Sequences& sequences, const Adapter* adapter,
                    std::size_t first_trained) {
  const Shape& shape = weights_.shape;
  const std::size_t tokens = batch.tokens.size();
  LOAM_CHECK(sequences.tokens() == tokens && batch.targets.tokens.size() == tokens);
  const std::size_t trained = shape.layers - first_trained;
  inputs_.resize(trained + 1);
  for (std::vector<float>& input : inputs_) input.resize(tokens * shape.width);
  values_.resize(keep_ == Keep::kProducts ? std::max<std::size_t>(trained, 1) : 1);
  for (LayerValues& values : values_)
    values.resize(shape, adapter == nullptr ? 0 : adapter->rank, tokens);

  embedding_forward(weights_.embedding, batch.tokens, inputs_[0]);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    const std::size_t from = layer < first_trained ? 0 : layer - first_trained;
    const std::size_t to = layer < first_trained ? 0 : from + 1;
    pass_.forward(layer, adapter, sequences, inputs_[from], values_of(layer, first_trained),
                  inputs_[to]);
  }
  normed_.resize(tokens * shape.width);
  norm_forward(gemm_.team(), {weights_.final_norm, shape.norm_epsilon}, inputs_.back(), normed_);
}

void Model::losses(const Batch& batch, const Adapter* adapter, std::span<float> losses) {
  forward(batch, Sequences(batch.starts), adapter, weights_.shape.layers);
  head_loss(gemm_, weights_.shape.width, weights_.head_weight(), normed_, batch.targets, losses,
            {});
}

double Model::accumulate(const Batch& batch, const Adapter& adapter, Adapter& gradient) {
  return accumulate(batch, {.adapter = &adapter, .adapter_gradient = &gradient},
                    adapter.first_layer());
}

double Model::accumulate(const Batch& batch, Weights& gradient) {
  return accumulate(batch, {.weights_gradient = &gradient}, 0);
}

double Model::accumulate(const Batch& batch, const Trained& trained, std::size_t first_trained) {
  const Shape& shape = weights_.shape;
  const Sequences sequences(batch.starts);
  forward(batch, sequences, trained.adapter, first_trained);

  Weights* const whole = trained.weights_gradient;
  losses_.resize(batch.tokens.size());
  normed_gradient_.resize(normed_.size());
  HeadGradient head{.x = normed_gradient_};
  if (whole != nullptr) head.weight = whole->head.empty() ? whole->embedding : whole->head;
  head_loss(gemm_, shape.width, weights_.head_weight(), normed_, batch.targets, losses_, head);
  gradient_.assign(normed_.size(), 0.0F);
  norm_backward(gemm_.team(), {weights_.final_norm, shape.norm_epsilon}, inputs_.back(),
                normed_gradient_, gradient_,
                whole == nullptr ? std::span<float>() : std::span<float>(whole->final_norm));

  for (std::size_t layer = shape.layers; layer-- > first_trained;) {
    const std::span<const float> x = inputs_[layer - first_trained];
    LayerValues& values = values_of(layer, first_trained);
    if (keep_ == Keep::kLayerInputs)  // its output is known: normed_ is free to take it
      pass_.forward(layer, trained.adapter, sequences, x, values, normed_);
    const bool last = layer == first_trained && whole == nullptr;
    pass_.backward(layer, trained, sequences, x, values, gradient_,
                   last ? Below::kNothing : Below::kTrained);
  }
  if (whole != nullptr) embedding_backward(batch.tokens, gradient_, whole->embedding);

  double sum = 0;
  for (std::size_t i = 0; i < losses_.size(); ++i)
    sum += double{batch.targets.weights[i]} * double{losses_[i]};
  return sum;
}

}  // namespace loam::train
