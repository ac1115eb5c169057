// A model of a few thousand random parameters, and text for it.
#pragma once

#include <cstddef>
#include <vector>

#include "train/model.h"
#include "train/testing/numbers.h"
#include "train/weights.h"

namespace loam::train::testing {

enum class Head { kTied, kOwn };
enum class Bias { kNone, kOfQkv };

inline Shape toy_shape(RopePairs pairs = RopePairs::kAdjacent) {
  return {.layers = 3,
          .width = 12,
          .ffn_width = 20,
          .vocabulary = 17,
          .attention = {.heads = 4, .kv_heads = 2, .head_width = 4},
          .rope = {.head_width = 4, .rotated = 4, .base = 100, .pairs = pairs, .factors = {}},
          .norm_epsilon = 1e-5F};
}

inline Weights toy_weights(const Shape& shape, Head head, Bias bias) {
  Weights out{.shape = shape, .embedding = {}, .layers = {}, .final_norm = {}, .head = {}};
  std::uint64_t seed = 100;
  const auto around_one = [&](std::size_t size) {
    std::vector<float> values = numbers(size, seed++, 0.3F);
    for (float& value : values) value += 1;
    return values;
  };
  out.embedding = numbers(shape.vocabulary * shape.width, seed++);
  for (std::size_t i = 0; i < shape.layers; ++i) {
    LayerWeights layer{.attention_norm = around_one(shape.width),
                       .ffn_norm = around_one(shape.width),
                       .linear = {},
                       .bias = {}};
    for (const Part part : kParts) {
      const auto [in, size] = part_size(shape, part);
      layer.linear[part] = numbers(in * size, seed++, 0.4F);
      const bool has_bias = part == Part::kQ || part == Part::kK || part == Part::kV;
      if (bias == Bias::kOfQkv && has_bias) layer.bias[part] = numbers(size, seed++, 0.4F);
    }
    out.layers.push_back(layer);
  }
  out.final_norm = around_one(shape.width);
  if (head == Head::kOwn) out.head = numbers(shape.vocabulary * shape.width, seed++);
  return out;
}

/// An adapter that changes something already.
inline Adapter toy_adapter(const Shape& shape, std::size_t first_layer = 0) {
  Adapter adapter = make_adapter(shape, {.rank = 3, .alpha = 6, .first_layer = first_layer}, 1);
  std::uint64_t seed = 500;
  for (const std::span<float> values : adapter.spans()) {
    const std::vector<float> fresh = numbers(values.size(), seed++, 0.3F);
    std::ranges::copy(fresh, values.begin());
  }
  return adapter;
}

/// Two short conversations, packed; the first tokens of each are prompt.
struct ToyBatch {
  std::vector<Token> tokens = {1, 5, 2, 9, 16, 3, 3, 0, 7, 11, 4};
  std::vector<Token> targets = {5, 2, 9, 16, 3, 0, 0, 7, 11, 4, 8};
  std::vector<float> weights = {0, 0, 0.2F, 0.2F, 0.2F, 0, 0, 0, 0.1F, 0.1F, 0.1F};
  std::vector<std::size_t> starts = {0, 6, 11};

  Batch batch() const { return {tokens, starts, {targets, weights}}; }
};

}  // namespace loam::train::testing
