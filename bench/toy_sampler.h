// Answers of a small model, by the trainer's own operators: the same tokens on every machine, which
// the engine, whose batches depend on time, does not promise.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/embedding.h"
#include "train/gemm.h"
#include "train/weights.h"

namespace bench {

using Sequence = std::vector<loam::train::Token>;

/// Each prompt with what follows it, until all are `length` tokens long. Prompts are of one length.
/// Drawn from the model's own distribution: temperature 1, no filter. Number i of the answers
/// depends on nothing but the weights, its prompt, `seed` and i.
/// @param surprise  the mean of -ln p over all that was drawn.
std::vector<Sequence> sample(loam::train::Gemm& gemm, const loam::train::Weights& weights,
                             std::span<const Sequence> prompts, std::size_t length,
                             std::uint64_t seed, double& surprise);

}  // namespace bench
