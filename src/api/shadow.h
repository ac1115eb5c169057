// Has an adapter that is being tried answer what the one before answered, unheard.
#pragma once

#include <string>

#include "api/context.h"
#include "engine/types.h"

namespace loam::api {

/// Gives `request`, to which the model before answered `shown`, to the model `next`, and counts
/// whether its answer is usable. Nothing of it is kept. Does not block; one at a time, and a prompt
/// that comes meanwhile is left out.
void answer_unheard(Context& context, const std::string& next, engine::GenerateRequest request,
                    const std::string& shown);

}  // namespace loam::api
