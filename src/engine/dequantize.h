// Weights as plain numbers, out of any format that a GGUF file may hold them in.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::engine {

/// Writes the numbers that `blocks` hold in weight format `ggml_type`; any bytes are numbers, NaN
/// and infinity among them. The same bytes give the same numbers with one build of the library.
/// @param blocks  whole blocks, at an address that is a multiple of 4. @thread any.
/// @error Corrupt  `blocks` are not as many bytes as `to.size()` numbers take, or those are no
///                 whole blocks.
/// @error Unsupported  the format is none of weights, or this build has no llama.cpp, without which
///                     only F32 is known.
/// @source ggml's type traits, `to_float`.
Result<> dequantize(std::uint32_t ggml_type, ByteView blocks, std::span<float> to);

}  // namespace loam::engine
