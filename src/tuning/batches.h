// Which examples are learned from together, and in what order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace loam::tuning {

/// Examples, by their index, that go through the model at once.
using BatchPlan = std::vector<std::size_t>;

/// One pass over all examples, the same for the same arguments, for ever: they are sorted by
/// SHA-256("loam.order.v1" || u64 seed || u64 epoch || u64 index), numbers little-endian, and taken
/// in that order into batches. A batch ends before the example that would make it longer than
/// `tokens_max`, which no example exceeds, or after `examples_max` of them.
/// @param lengths  tokens of each example.
std::vector<BatchPlan> plan_epoch(std::span<const std::size_t> lengths, std::size_t tokens_max,
                                  std::size_t examples_max, std::uint64_t seed,
                                  std::uint64_t epoch);

}  // namespace loam::tuning
