// Retractions across followed logs. docs/formats/log.md, "What a log accepts". Inside this module
// only.
#pragma once

#include "commons/follow_copy.h"

namespace loam::commons {

/// Erases what new records of `grown` retract in the other copies, and of its new records what the
/// others, or this node's own log, retract. Whether a key may is decided by the log that the record
/// stands in.
/// @return what was erased, and may be indexed still. Repeated after a failure, it misses nothing.
Result<std::vector<ledger::RecordId>> obey_retractions(
    FollowCopy& grown, std::span<const std::shared_ptr<FollowCopy>> others,
    const FollowOptions& options);

}  // namespace loam::commons
