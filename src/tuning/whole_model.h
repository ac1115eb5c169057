// A model whose every parameter was trained, as a file of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"
#include "train/weights.h"

namespace loam::tuning {

/// The bytes of a GGUF file of `weights`, all of them binary32. Metadata and tokenizer are those of
/// the base's file, byte for byte, but for the name, the weight format, and what is said of an
/// earlier base.
/// @param base  the file that training began at; `path` is for messages.
/// @param lineage  keys with text, each beginning with "loam." or "general.base_model.".
/// @error as catalog::read_gguf_header(); Corrupt also if the file became shorter.
Result<Bytes> encode_whole_model(const train::Weights& weights, const env::Fd& base,
                                 const env::Path& path, std::string name,
                                 std::vector<std::pair<std::string, std::string>> lineage);

}  // namespace loam::tuning
