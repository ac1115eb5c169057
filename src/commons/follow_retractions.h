// Retractions across followed logs. docs/formats/log.md, "What a log accepts". Inside this module
// only.
#pragma once

#include "commons/follow_copy.h"

namespace loam::commons {

/// Erases what new records of `grown` retract in the other copies, and of its new records what the
/// others, or this node's own log, retract. Whether a key may is decided by the log that the record
/// stands in. Repeated after a failure, or after it was stopped, it misses nothing.
/// @error Cancelled  events.should_stop(). Else as Storage, and as events.on_erased().
Result<> obey_retractions(FollowCopy& grown, std::span<const std::shared_ptr<FollowCopy>> others,
                          const FollowOptions& options, const PollEvents& events);

}  // namespace loam::commons
