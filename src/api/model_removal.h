// Removing a model, by whichever route.
#pragma once

#include <string>

#include "api/context.h"

namespace loam::api {

/// Unloads the model and forgets its name; returns the name that it had in the catalogue.
/// @error 404 model_not_found.
ApiResult<std::string> remove_model(Context& context, const std::string& name);

}  // namespace loam::api
