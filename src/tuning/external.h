// Data and configuration for trainers of others, which run where GPUs are. Names of their options
// are as their own documentation has them: TRL 1.16, LLaMA-Factory 0.9.5, axolotl 0.19.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "tuning/recipe.h"
#include "tuning/view_rows.h"

namespace loam::tuning {

enum class Trainer : std::uint8_t { kTrl, kLlamaFactory, kAxolotl };

/// @error InvalidArgument  not "trl", "llama-factory" or "axolotl".
Result<Trainer> parse_trainer(std::string_view name);

struct ExternalOrder {
  Trainer trainer = Trainer::kTrl;
  Recipe recipe;
  std::string base_id;        // of the base on a model hub, or its folder; empty: to be filled in
  std::string model;          // its name here; empty: to be filled in
  std::string data_set_root;  // hexadecimal
  std::uint64_t rows = 0;     // that are written
};

/// @error Unsupported  the trainer cannot do what the recipe asks for; says what can.
Result<> check_external(Trainer trainer, const Recipe& recipe);

/// Where the rows lie beside the other files.
inline constexpr std::string_view kExternalRows = "train.jsonl";
/// What the base is called where `base_id` is empty.
inline constexpr std::string_view kBasePlaceholder = "BASE-MODEL";

/// A row as the trainer loads it, for the stage of the recipe.
codec::Value external_row(const ViewRow& row, const ExternalOrder& order);

struct ExternalFile {
  std::string name;
  std::string content;
};

/// The configuration, what it needs beside it, and a README.md that says how to go on.
/// Deterministic.
std::vector<ExternalFile> external_files(const ExternalOrder& order);

}  // namespace loam::tuning
