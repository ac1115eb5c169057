// What training costs, before it is begun.
#pragma once

#include <cstddef>
#include <cstdint>

#include "train/adapter.h"
#include "train/model.h"

namespace loam::train {

/// Numbers in a model of this shape.
std::uint64_t parameter_count(const Shape& shape, bool has_head);
/// Numbers in an adapter.
std::uint64_t parameter_count(const Shape& shape, const AdapterOptions& options);

/// Bytes that training an adapter takes: weights, adapter with gradient and optimizer, and what is
/// kept of a batch of `tokens_max`. Within a tenth of what a process then has in memory.
std::uint64_t training_bytes(const Shape& shape, bool has_head, const AdapterOptions& options,
                             Keep keep, std::size_t tokens_max);

/// The same for all parameters: the model as it was, what becomes of it, gradient and optimizer.
std::uint64_t whole_training_bytes(const Shape& shape, bool has_head, Keep keep,
                                   std::size_t tokens_max);

/// Tokens that go through a model.
struct Traffic {
  double tokens = 0;
  double learned = 0;  // of those, with a loss
  double length = 0;   // of a sequence, on average
};
/// Arithmetic of forward and backward pass, in 1e9 operations; a fused multiply-add counts as two.
/// The gradient of inputs for what is frozen, all three products for what is trained; what is
/// computed again does not count.
double training_gflop(const Shape& shape, const AdapterOptions& options, const Traffic& traffic);
/// The same for all parameters.
double whole_training_gflop(const Shape& shape, const Traffic& traffic);

}  // namespace loam::train
