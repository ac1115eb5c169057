// The low-rank parts that a run trains: its result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/linear.h"
#include "train/weights.h"

namespace loam::train {

/// What is adapted, and how.
struct AdapterOptions {
  std::size_t rank = 8;
  float alpha = 16;
  std::vector<Part> parts = {kParts.begin(), kParts.end()};
  std::size_t first_layer = 0;  // layers below have none, and cost neither gradient nor memory
};

/// The parameters of an adapter, or, of the same shape, their gradients.
struct Adapter {
  struct Pair {
    std::vector<float> down;  // [rank, in], LoRA's A; empty if the part is not adapted
    std::vector<float> up;    // [rank, out], LoRA's B transposed
  };
  std::size_t rank;
  float alpha;
  std::vector<OfParts<Pair>> layers;

  LowRank part(std::size_t layer, Part part) const;
  /// The lowest layer with an adapted part; layers.size() if there is none.
  std::size_t first_layer() const;

  /// All parameters in their fixed order: what an optimizer steps over.
  Spans spans();
  /// The same shape, all zero.
  Adapter zeros() const;
};

/// A fresh adapter, which changes nothing yet: `down` even between -1 and 1 over the root of its
/// width, drawn from `seed`; `up` zero. The same for the same arguments, for ever.
Adapter make_adapter(const Shape& shape, const AdapterOptions& options, std::uint64_t seed);

}  // namespace loam::train
