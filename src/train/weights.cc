#include "train/weights.h"

namespace loam::train {

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
  const auto take = [&](std::vector<float>& values) {
    if (!values.empty()) all.emplace_back(values);
  };
  take(embedding);
  for (LayerWeights& layer : layers) {
    take(layer.attention_norm);
    for (const Part part : kParts) {
      take(layer.linear[part]);
      take(layer.bias[part]);
    }
    take(layer.ffn_norm);
  }
  take(final_norm);
  take(head);
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
