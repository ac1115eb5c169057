// Erasing what was retracted from all that holds words. DESIGN.md 8.6.
#pragma once

#include <span>

#include "api/context.h"
#include "commons/copies.h"

namespace loam::api {

/// Besides what the retraction itself changed: the search index, exports, private answers. Only
/// then are the submissions marked, so that what a crash interrupts is done again at the next
/// start.
Result<commons::Copies::Reached> erase_retracted(
    Context& context, std::span<const commons::Sharing::Retracted> retracted);

/// At the start: what the log says was retracted and was not erased yet, as after a crash, or after
/// retractions came back from a mirror. What fails is logged, and done at the next start.
void erase_unfinished(Context& context);

}  // namespace loam::api
