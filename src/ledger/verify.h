// Checking a whole log, as a stranger would, and the database beside it.
#pragma once

#include <functional>

#include "ledger/storage.h"
#include "ledger/tiles.h"

namespace loam::ledger {

struct Verified {
  crypto::Checkpoint checkpoint;
  std::uint64_t records = 0;  // looked at
  std::uint64_t bodies = 0;   // whose commitment was checked
  std::uint64_t erased = 0;   // retracted
  /// Records whose body the database lost: it is not there, and nobody retracted it. What the log
  /// proves is whole without it, so this is no fault. In the order of the log.
  std::vector<RecordId> missing;
  /// What is wrong, each naming its file or record; empty: all is well.
  std::vector<std::string> faults;
};

/// Told how far it is, in records; false ends it with Cancelled.
using OnVerified = std::function<bool(std::uint64_t done, std::uint64_t of)>;

/// Reads every byte under the checkpoint in `folder`: its signature by `key`, every tile and
/// bundle, the root, every record's encoding, signature and network, and that a log accepts it
/// after those before it, as apply() says. With `storage`: that it is whole, holds the same records
/// and says the same of them, that every body fits its header, and which are missing. Faults are
/// collected, at most 100; only what keeps it from looking at all is an error.
/// @error Corrupt  the checkpoint. @error Cancelled. @error Unavailable  the node writes all the
/// time.
Result<Verified> verify_log(const env::Path& folder, const crypto::VerifierKey& key,
                            const NetId& net, Storage* storage, const OnVerified& on_verified);

/// Writes a copy that any web server can serve as /log/: checkpoint, tiles, bundles, and bodies as
/// `body/ID`, but those that were retracted or blocked. What `target` holds of them already is
/// kept; what may not be there any more is removed.
/// @return how many files were written.
Result<std::uint64_t> export_log(const env::Path& folder, const crypto::VerifierKey& key,
                                 Storage& storage, const env::Path& target);

}  // namespace loam::ledger
