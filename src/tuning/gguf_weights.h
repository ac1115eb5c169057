// A model to train, out of its GGUF file.
#pragma once

#include <memory>

#include "base/result.h"
#include "env/disk.h"
#include "train/weight_source.h"

namespace loam::tuning {

/// Reads the header at once and tensors when they are asked for, with pread(), so that beside the
/// numbers only the header and a small piece of the file are in memory. The content of the file
/// must stay as it is. `path` is for messages.
///
/// Its read() fails with NotFound for a tensor that sizes() does not know, Corrupt if the file
/// became shorter, Unavailable if the disk failed, and as engine::dequantize(). A chat template is
/// not among its texts.
/// @error as catalog::read_gguf_header().
Result<std::unique_ptr<train::WeightSource>> open_gguf_weights(env::Fd file, const env::Path& path);

}  // namespace loam::tuning
