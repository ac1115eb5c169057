// The tree of a log that is read from afar. Inside this module only.
#pragma once

#include "crypto/merkle.h"
#include "ledger/log_source.h"

namespace loam::commons {

/// Reads nodes of the tree of `size` leaves, each tile once; asks for the full tile where the part
/// of that size is gone. What it reads is not checked. `source` must outlive it. Not thread-safe.
/// @error Corrupt  a tile of a wrong length. Else as LogSource::read().
crypto::NodeReader source_tiles(ledger::LogSource& source, std::uint64_t size);

}  // namespace loam::commons
