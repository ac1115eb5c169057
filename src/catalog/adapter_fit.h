// Whether an adapter goes with a model. Inside this module only.
#pragma once

#include "base/result.h"
#include "catalog/gguf.h"

namespace loam::catalog {

/// Checks that `adapter` is a LoRA for the architecture of `base` whose tensors are pairs that fit
/// tensors of `base`.
/// @error InvalidArgument  names what does not fit.
/// @source llama.cpp's llama-adapter.cpp.
Result<> check_adapter(const GgufHeader& base, const GgufHeader& adapter);

}  // namespace loam::catalog
