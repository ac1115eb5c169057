#include "train/layer.h"

#include <algorithm>

#include "base/check.h"
#include "train/norm.h"
#include "train/swiglu.h"

namespace loam::train {
namespace {

std::span<float> norm_gradient(Weights* gradient, std::size_t layer,
                               std::vector<float> LayerWeights::* norm) {
  if (gradient == nullptr) return {};
  return gradient->layers[layer].*norm;
}

}  // namespace

void LayerValues::resize(const Shape& shape, std::size_t rank, std::size_t tokens) {
  q.resize(tokens * shape.attention.query_width());
  k.resize(tokens * shape.attention.kv_width());
  v.resize(k.size());
  attended.resize(q.size());
  middle.resize(tokens * shape.width);
  gate.resize(tokens * shape.ffn_width);
  up.resize(gate.size());
  for (std::vector<float>& values : hidden) values.resize(rank * tokens);
}

Sequences::Sequences(Starts at) : starts(at.begin(), at.end()) {
  LOAM_CHECK(starts.size() >= 2 && starts.front() == 0);
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    LOAM_CHECK(starts[i] < starts[i + 1]);
    for (std::size_t token = starts[i]; token < starts[i + 1]; ++token)
      positions.push_back(static_cast<std::uint32_t>(token - starts[i]));
  }
}

LayerPass::LayerPass(Gemm& gemm, const Weights& weights, const Rope& rope)
    : gemm_(gemm), weights_(weights), rope_(rope) {}

void LayerPass::part_forward(std::size_t layer, Part part, const Adapter* adapter,
                             std::span<const float> x, LayerValues& values, std::span<float> y,
                             Into into) {
  const LowRank low_rank = adapter == nullptr ? LowRank{} : adapter->part(layer, part);
  linear_forward(gemm_, weights_.part(layer, part), low_rank, x, values.hidden[part], y, into);
}

void LayerPass::part_backward(std::size_t layer, Part part, const Trained& trained,
                              std::span<const float> x, const LayerValues& values,
                              std::span<const float> y_gradient, const InputGradient& x_gradient) {
  LowRank low_rank;
  LinearGradient gradient;
  if (trained.adapter != nullptr) low_rank = trained.adapter->part(layer, part);
  if (trained.adapter_gradient != nullptr) {
    Adapter::Pair& pair = trained.adapter_gradient->layers[layer][part];
    gradient.down = pair.down;
    gradient.up = pair.up;
  }
  if (trained.weights_gradient != nullptr) {
    gradient.weight = trained.weights_gradient->layers[layer].linear[part];
    gradient.bias = trained.weights_gradient->layers[layer].bias[part];
  }
  linear_backward(gemm_, weights_.part(layer, part), low_rank, x, values.hidden[part], y_gradient,
                  gradient, x_gradient);
}

void LayerPass::forward(std::size_t layer, const Adapter* adapter, const Sequences& sequences,
                        std::span<const float> x, LayerValues& values, std::span<float> y) {
  const Shape& shape = weights_.shape;
  Team& team = gemm_.team();
  normed_.resize(sequences.tokens() * shape.width);
  product_.resize(sequences.tokens() * shape.ffn_width);

  norm_forward(team, weights_.attention_norm(layer), x, normed_);
  part_forward(layer, Part::kQ, adapter, normed_, values, values.q, Into::kReplace);
  part_forward(layer, Part::kK, adapter, normed_, values, values.k, Into::kReplace);
  part_forward(layer, Part::kV, adapter, normed_, values, values.v, Into::kReplace);
  rope_.turn(team, sequences.positions, values.q, Turn::kForward);
  rope_.turn(team, sequences.positions, values.k, Turn::kForward);
  attention_forward(gemm_, shape.attention, sequences.starts, {values.q, values.k, values.v},
                    values.attended);
  std::ranges::copy(x, values.middle.begin());
  part_forward(layer, Part::kOutput, adapter, values.attended, values, values.middle, Into::kAdd);

  norm_forward(team, weights_.ffn_norm(layer), values.middle, normed_);
  part_forward(layer, Part::kGate, adapter, normed_, values, values.gate, Into::kReplace);
  part_forward(layer, Part::kUp, adapter, normed_, values, values.up, Into::kReplace);
  swiglu_forward(team, values.gate, values.up, product_);
  std::ranges::copy(values.middle, y.begin());
  part_forward(layer, Part::kDown, adapter, product_, values, y, Into::kAdd);
}

void LayerPass::backward(std::size_t layer, const Trained& trained, const Sequences& sequences,
                         std::span<const float> x, const LayerValues& values,
                         std::span<float> gradient, Below below) {
  ffn_backward(layer, trained, values, gradient);
  attention_part_backward(layer, trained, sequences, x, values, gradient, below);
}

void LayerPass::ffn_backward(std::size_t layer, const Trained& trained, const LayerValues& values,
                             std::span<float> gradient) {
  Team& team = gemm_.team();
  const Norm norm = weights_.ffn_norm(layer);
  normed_.resize(gradient.size());
  normed_gradient_.resize(gradient.size());
  product_.resize(values.gate.size());
  product_gradient_.resize(values.gate.size());

  swiglu_forward(team, values.gate, values.up, product_);
  part_backward(layer, Part::kDown, trained, product_, values, gradient,
                {product_gradient_, Into::kReplace});
  const std::span<float> gate_gradient = product_gradient_;  // they take the places of both
  const std::span<float> up_gradient = product_;
  swiglu_backward(team, values.gate, values.up, product_gradient_, gate_gradient, up_gradient);
  norm_forward(team, norm, values.middle, normed_);
  part_backward(layer, Part::kGate, trained, normed_, values, gate_gradient,
                {normed_gradient_, Into::kReplace});
  part_backward(layer, Part::kUp, trained, normed_, values, up_gradient,
                {normed_gradient_, Into::kAdd});
  norm_backward(team, norm, values.middle, normed_gradient_, gradient,
                norm_gradient(trained.weights_gradient, layer, &LayerWeights::ffn_norm));
}

void LayerPass::attention_part_backward(std::size_t layer, const Trained& trained,
                                        const Sequences& sequences, std::span<const float> x,
                                        const LayerValues& values, std::span<float> gradient,
                                        Below below) {
  Team& team = gemm_.team();
  const Norm norm = weights_.attention_norm(layer);
  attended_gradient_.resize(values.attended.size());
  q_gradient_.resize(values.q.size());
  k_gradient_.resize(values.k.size());
  v_gradient_.resize(values.v.size());

  part_backward(layer, Part::kOutput, trained, values.attended, values, gradient,
                {attended_gradient_, Into::kReplace});
  attention_backward(gemm_, weights_.shape.attention, sequences.starts,
                     {values.q, values.k, values.v}, values.attended, attended_gradient_,
                     {q_gradient_, k_gradient_, v_gradient_});
  rope_.turn(team, sequences.positions, q_gradient_, Turn::kBackward);
  rope_.turn(team, sequences.positions, k_gradient_, Turn::kBackward);
  norm_forward(team, norm, x, normed_);
  const std::span<float> wanted =
      below == Below::kTrained ? std::span<float>(normed_gradient_) : std::span<float>();
  part_backward(layer, Part::kQ, trained, normed_, values, q_gradient_, {wanted, Into::kReplace});
  part_backward(layer, Part::kK, trained, normed_, values, k_gradient_, {wanted, Into::kAdd});
  part_backward(layer, Part::kV, trained, normed_, values, v_gradient_, {wanted, Into::kAdd});
  if (below == Below::kNothing) return;
  norm_backward(team, norm, x, normed_gradient_, gradient,
                norm_gradient(trained.weights_gradient, layer, &LayerWeights::attention_norm));
}

}  // namespace loam::train
