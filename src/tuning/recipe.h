// The recipe of a run: what is learned, how fast, from how much at once. docs/formats/recipe.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "train/weights.h"

namespace loam::tuning {

/// What the loss is: of answers (supervised), of answers marked good or bad, of pairs of answers.
enum class Stage { kSft, kKto, kDpo };

/// Every setting with its default; names are LLaMA-Factory's. Ranges and meanings are in the table
/// (recipe_settings.h), and parse_recipe() gives nothing outside of them.
struct Recipe {
  Stage stage = Stage::kSft;
  bool full = false;  // `finetuning_type`: all parameters instead of an adapter
  std::size_t lora_rank = 8;
  float lora_alpha = 16;
  /// In the order of train::kParts, each at most once, and at least one.
  std::vector<train::Part> lora_target{train::kParts.begin(), train::kParts.end()};
  std::size_t cutoff_len = 512;                 // tokens
  std::size_t per_device_train_batch_size = 4;  // examples
  std::size_t gradient_accumulation_steps = 2;  // batches
  double learning_rate = 2e-4;
  std::string lr_scheduler_type = "cosine";
  double warmup_ratio = 0.03;  // of all steps
  double num_train_epochs = 3;
  std::size_t max_steps = 0;  // 0: num_train_epochs decides
  double weight_decay = 0;
  double max_grad_norm = 1;
  bool train_on_prompt = false;
  bool disable_gradient_checkpointing = true;
  std::size_t logging_steps = 1;
  std::size_t save_steps = 50;
  std::uint64_t seed = 42;
  double pref_beta = 0.1;
  double kto_chosen_weight = 1;
  double kto_rejected_weight = 1;
  std::size_t canaries = 0;  // canaries.h
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

/// Settings that are absent have their defaults; `lora_alpha` then is twice `lora_rank`.
/// @param name  of the file, for messages.
/// @error InvalidArgument  not TOML, an unknown key (the hint names the nearest), a wrong type or a
///                         value out of range: with `name`, line, key and what is allowed.
/// @error ResourceExhausted  larger than a recipe needs to be (codec/toml.h).
Result<Recipe> parse_recipe(std::string_view toml, std::string_view name);

/// All settings, in a fixed order, as TOML that parses back to the same recipe, and is the same
/// for equal recipes: its bytes are what is hashed and what a run keeps. A setting that came later
/// than the first runs is left out where it has its default, so that their hashes stay.
std::string to_toml(const Recipe& recipe);

/// The table of settings for docs/formats/recipe.md.
std::string recipe_markdown();

}  // namespace loam::tuning
