// Times as people and JSON read them.
#pragma once

#include <cstdint>
#include <string>

#include "codec/value.h"

namespace loam::api {

/// "2026-11-23T04:00:46Z". @source RFC 3339.
std::string rfc3339(std::int64_t wall_ms);
/// The same, or null for 0 ("never").
codec::Value rfc3339_or_null(std::int64_t wall_ms);

}  // namespace loam::api
