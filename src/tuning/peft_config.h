// adapter_config.json: which parts of a model an adapter of PEFT's changes, and how.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "train/weights.h"

namespace loam::tuning {

/// One linear part of one layer.
struct Place {
  std::size_t layer;
  train::Part part;

  friend auto operator<=>(const Place&, const Place&) = default;
};

/// Every place of a model, by layer, then in the order of train::kParts.
std::vector<Place> all_places(std::size_t layers);

/// As the model of Hugging Face names it: "model.layers.3.self_attn.q_proj".
std::string module_key(Place place);

/// The two factors of what is added to a part: B times A.
enum class Factor { kA, kB };

/// As the file of PEFT names it: "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight".
std::string tensor_name(Place place, Factor factor);

/// Whether such names are those of this architecture, as GGUF calls it.
bool is_known_to_peft(std::string_view architecture);

struct PeftConfig {
  std::size_t rank;
  float alpha;
  /// Those that are adapted, in the order of all_places(); none if the tensors have to say it,
  /// since a pattern chooses.
  std::optional<std::vector<Place>> places;
};

/// @param config  names at least one place; its alpha is above 0.
/// @param layers  of the base model.
std::string encode_peft_config(const PeftConfig& config, std::size_t layers,
                               std::string_view base_model_name);

/// Follows PEFT's own rules on what `target_modules` and `layers_to_transform` choose.
/// @error InvalidArgument  names what this model does not have, or has no rank or alpha.
/// @error Unsupported      asks for what is not plain LoRA.
/// @error Corrupt          no JSON.
Result<PeftConfig> decode_peft_config(std::string_view text, std::size_t layers);

}  // namespace loam::tuning
