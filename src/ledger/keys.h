// The keys of a node's log and of the author that writes to it: files of mode 0600.
#pragma once

#include "crypto/ed25519.h"
#include "env/disk.h"

namespace loam::ledger {

/// Two different keys, and neither is the network's. @source DESIGN.md 8.3.
struct LogKeys {
  crypto::SigningKey log;     // signs checkpoints
  crypto::SigningKey author;  // signs records
};

/// The keys in `folder`; made if neither is there.
/// @error PermissionDenied  others may read them. @error Corrupt  one is damaged or missing: a log
///        whose key is lost cannot go on, so none is made in its place.
Result<LogKeys> open_keys(const env::Path& folder);

/// Writes a key's file, mode 0600; @error AlreadyExists  there is one.
Result<> write_key(const env::Path& file, const crypto::SigningKey& key);
Result<crypto::SigningKey> read_key(const env::Path& file);

}  // namespace loam::ledger
