// An adapter as the file that llama.cpp and Loam's own engine load beside the base model.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "train/adapter.h"

namespace loam::train {

/// What the file says of itself.
struct AdapterFacts {
  std::string architecture;  // the base model's general.architecture: a loader compares them
  std::string name;          // general.name
  /// Further keys with text, as given: base model, data set and recipe, by hash. A loader ignores
  /// those that it does not know.
  std::vector<std::pair<std::string, std::string>> lineage;
};

/// The bytes of a GGUF file of type "adapter". The same adapter and facts give the same bytes.
/// Tensors are binary32, `BASE.lora_a` with sizes [in, rank] and `BASE.lora_b` with [rank, out].
/// @source GGUF specification, version 3; llama.cpp's convert_lora_to_gguf.py and
/// llama-adapter.cpp.
Bytes encode_adapter(const Adapter& adapter, const AdapterFacts& facts);

}  // namespace loam::train
