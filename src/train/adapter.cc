#include "train/adapter.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace loam::train {
namespace {

/// @source Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}

  /// Even between -1 and 1.
  float next() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
    x = (x ^ x >> 27) * 0x94D049BB133111EBU;
    x ^= x >> 31;
    return static_cast<float>(x >> 40) * 0x1p-23F - 1;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

LowRank Adapter::part(std::size_t layer, Part part) const {
  const Pair& pair = layers[layer][part];
  if (pair.down.empty()) return {};
  return {rank, alpha / static_cast<float>(rank), pair.down, pair.up};
}

std::size_t Adapter::first_layer() const {
  const auto adapted = [](const OfParts<Pair>& layer) {
    return std::ranges::any_of(layer, [](const Pair& pair) { return !pair.down.empty(); });
  };
  return static_cast<std::size_t>(std::ranges::find_if(layers, adapted) - layers.begin());
}

Spans Adapter::spans() {
  Spans all;
  for (OfParts<Pair>& layer : layers)
    for (Pair& pair : layer) {
      if (pair.down.empty()) continue;
      all.emplace_back(pair.down);
      all.emplace_back(pair.up);
    }
  return all;
}

Adapter Adapter::zeros() const {
  Adapter out = *this;
  for (const std::span<float> values : out.spans()) std::ranges::fill(values, 0.0F);
  return out;
}

Adapter make_adapter(const Shape& shape, const AdapterOptions& options, std::uint64_t seed) {
  LOAM_CHECK(options.rank > 0);
  Adapter adapter{options.rank, options.alpha, {}};
  adapter.layers.resize(shape.layers);
  SplitMix chance(seed);
  for (std::size_t layer = options.first_layer; layer < shape.layers; ++layer)
    for (const Part part : kParts) {  // in this order, whatever the order of the options
      if (std::ranges::find(options.parts, part) == options.parts.end()) continue;
      const auto [in, out] = part_size(shape, part);
      const float bound = 1 / std::sqrt(static_cast<float>(in));
      Adapter::Pair& pair = adapter.layers[layer][part];
      pair.down.resize(options.rank * in);
      for (float& value : pair.down) value = bound * chance.next();
      pair.up.resize(options.rank * out);
    }
  return adapter;
}

}  // namespace loam::train
