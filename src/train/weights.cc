#include "train/weights.h"

namespace loam::train {
namespace {

/// Calls `take(numbers, decays)` for all parameters that there are, in their fixed order.
template <class AnyWeights, class Take>
void visit(AnyWeights& weights, const Take& take) {
  const auto offer = [&](auto& values, bool decays) {
    if (!values.empty()) take(values, decays);
  };
  offer(weights.embedding, true);
  for (auto& layer : weights.layers) {
    offer(layer.attention_norm, false);
    for (const Part part : kParts) {
      offer(layer.linear[part], true);
      offer(layer.bias[part], false);
    }
    offer(layer.ffn_norm, false);
  }
  offer(weights.final_norm, false);
  offer(weights.head, true);
}

}  // namespace

std::string_view part_name(Part part) {
  static constexpr std::array<std::string_view, kParts.size()> kNames = {
      "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
  return kNames[static_cast<std::size_t>(part)];
}

PartSize part_size(const Shape& shape, Part part) {
  switch (part) {
    case Part::kQ: return {shape.width, shape.attention.query_width()};
    case Part::kK:
    case Part::kV: return {shape.width, shape.attention.kv_width()};
    case Part::kOutput: return {shape.attention.query_width(), shape.width};
    case Part::kGate:
    case Part::kUp: return {shape.width, shape.ffn_width};
    case Part::kDown: break;
  }
  return {shape.ffn_width, shape.width};
}

Linear Weights::part(std::size_t layer, Part part) const {
  const PartSize size = part_size(shape, part);
  return {size.in, size.out, layers[layer].linear[part], layers[layer].bias[part]};
}

Norm Weights::attention_norm(std::size_t layer) const {
  return {layers[layer].attention_norm, shape.norm_epsilon};
}

Norm Weights::ffn_norm(std::size_t layer) const {
  return {layers[layer].ffn_norm, shape.norm_epsilon};
}

Spans Weights::spans() {
  Spans all;
  visit(*this, [&](std::vector<float>& values, bool) { all.emplace_back(values); });
  return all;
}

std::vector<bool> Weights::decayed() const {
  std::vector<bool> all;
  visit(*this, [&](const std::vector<float>&, bool decays) { all.push_back(decays); });
  return all;
}

Weights Weights::zeros() const {
  Weights out = *this;
  for (const std::span<float> values : out.spans())
    for (float& value : values) value = 0;
  return out;
}

std::size_t size_of(const Spans& spans) {
  std::size_t size = 0;
  for (const std::span<float> values : spans) size += values.size();
  return size;
}

}  // namespace loam::train
