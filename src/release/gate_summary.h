// What a gate's report comes to, for a publication that names it.
#pragma once

#include "release/manifest.h"

namespace loam::release {

/// A ReadGate: the verdict is computed again from the report's measurements.
/// @error Corrupt  as gate::parse_report().
Result<GateSummary> gate_summary(std::string_view report);

}  // namespace loam::release
