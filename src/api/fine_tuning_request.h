// The body of POST /v1/fine_tuning/jobs.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/request_fields.h"
#include "tuning/recipe.h"

namespace loam::api {

struct FineTuningRequest {
  std::string model;
  std::string training_file;
  std::string suffix;  // of the new model's name; empty: none was asked for
  std::vector<std::pair<std::string, std::string>> metadata;
  tuning::Recipe recipe;  // "auto" became this program's default
};

/// @error 400 naming the field: wrong, or not offered.
ApiResult<FineTuningRequest> parse_fine_tuning_request(const codec::Value& body);

/// What a recipe is in OpenAI's terms: {"type", "supervised": {"hyperparameters"}} or "dpo". Only
/// for recipes of these two stages.
codec::Value method_value(const tuning::Recipe& recipe);
/// n_epochs, batch_size and learning_rate_multiplier; `beta` too for stage dpo.
codec::Value hyperparameters_value(const tuning::Recipe& recipe);

}  // namespace loam::api
