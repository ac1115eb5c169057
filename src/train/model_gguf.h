// A whole model as the file that llama.cpp and Loam's own engine load.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "train/weights.h"

namespace loam::train {

/// What the file says of itself. No key may be there twice.
struct ModelFile {
  /// Pairs as they stand in the file that the weights came from: architecture, sizes, tokenizer.
  /// Without `general.alignment`, `general.file_type` and `general.name`.
  Bytes pairs;
  std::uint64_t pair_count = 0;
  std::string name;                                          // general.name
  std::vector<std::pair<std::string, std::string>> lineage;  // further keys with text
};

/// The bytes of a GGUF file with all weights as binary32, under the names by which read_weights()
/// finds them. The same weights and facts give the same bytes.
Bytes encode_model(const Weights& weights, const ModelFile& file);

}  // namespace loam::train
