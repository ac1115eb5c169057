// How much memory a model will need, and how it may be loaded within a limit. Pure.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "catalog/catalog.h"
#include "engine/types.h"

namespace loam::pool {

/// Weights (the file's size), the KV cache, and the engine's work space. An estimate from above:
/// grouped caches of some architectures need less.
std::uint64_t estimated_bytes(const catalog::Model& model, const engine::LoadOptions& options);
/// The same for a cache of `cells` tokens in all.
std::uint64_t estimated_bytes(const catalog::Model& model, std::uint64_t cells);

struct MemoryPlan {
  engine::LoadOptions options;
  std::uint64_t bytes = 0;
};

/// `wanted`, with as many parallel sequences as fit (halved until it does, never the context:
/// nothing a user sees is cut in silence).
/// @error ResourceExhausted  not even one sequence fits.
Result<MemoryPlan> plan_memory(const catalog::Model& model, const engine::LoadOptions& wanted,
                               std::uint64_t bytes_max);

/// All memory of this machine; 0 if the system does not say.
std::uint64_t machine_bytes();

}  // namespace loam::pool
