// Whether a request fits the model that is to answer it.
#pragma once

#include "api/generation.h"

namespace loam::api {

/// Nothing is ever cut to make it fit.
/// @error 400 context_length_exceeded with the numbers; 400 for n, logit_bias or a prompt with
/// tokens that the model does not have.
ApiResult<> check_fits(const GenerationRequest& request, const engine::ModelInfo& model);

}  // namespace loam::api
