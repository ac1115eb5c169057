// Whether the two forms of an adapter, PEFT's and the GGUF file's, are the same adapter.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/gguf.h"

namespace loam::tuning {

// Both take files of strangers, and neither needs the base model. `header` is that of `gguf`, the
// adapter's file.

/// That the config has its alpha and the rank of every tensor, and chooses the same parts.
/// @error InvalidArgument  it says something else, or a pattern chooses; names what.
///        Else as decode_peft().
Result<> check_peft_config(std::string_view config, const catalog::GgufHeader& header);

/// That both hold the same numbers, finite ones, and no tensor more or less. Without the base
/// nobody knows how wide its heads are, by which the rows of q and k stand in another order in a
/// file of architecture `llama`: their B match if one even width from 4 to 1024, the same for all
/// of them, explains the order. Needs memory for the largest tensor, three times, 768 MiB at most,
/// and for the header.
/// @error InvalidArgument  names the first tensor that is another, or is missing, or is too large.
/// @error Corrupt          no such file, or a number that is not finite. Unsupported  a type of
///        numbers that is not known.
Result<> check_peft_tensors(ByteView tensors, ByteView gguf, const catalog::GgufHeader& header);

}  // namespace loam::tuning
