// What a gate's report comes to.
#pragma once

#include <string_view>

#include "release/manifest.h"

namespace loam::cli {

/// @error Corrupt  no report of a gate; names what is missing.
Result<release::GateSummary> gate_summary(std::string_view report);

}  // namespace loam::cli
