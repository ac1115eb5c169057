// An adapter that was trained elsewhere, brought in.
#pragma once

#include <string>

#include "base/bytes.h"
#include "catalog/catalog.h"
#include "env/disk.h"

namespace loam::tuning {

/// Reads a folder that PEFT wrote (adapter_config.json, adapter_model.safetensors) and gives the
/// GGUF file of the same adapter for `base`, whose file is `base_file`. What it learned from is not
/// known here, and the file says so.
/// @error NotFound  no such folder. InvalidArgument, Unsupported, Corrupt  as decode_peft().
///        ResourceExhausted  larger than adapters are.
Result<Bytes> import_peft(const env::Path& folder, const catalog::Model& base, env::Fd base_file,
                          const std::string& name);

}  // namespace loam::tuning
