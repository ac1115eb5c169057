// A model file without quantised weights, so that programs which compute in other ways can be
// asked about the very numbers that the trainer has.
#pragma once

#include "base/result.h"
#include "env/disk.h"

namespace loam::tuning::testing {

/// Writes the GGUF file `model` anew with all its weights as F32: metadata byte for byte, other
/// tensors. @error AlreadyExists  there is a file `to`. As open_gguf_weights() and its read().
Result<> write_wide_copy(const env::Path& model, const env::Path& to);

}  // namespace loam::tuning::testing
