// The log of this machine's node, read from its files: no running node is needed.
#pragma once

#include <memory>

#include "cli/invocation.h"
#include "crypto/note.h"
#include "ledger/storage.h"

namespace loam::cli {

struct OwnLog {
  env::Path folder;  // of tiles and checkpoint
  crypto::VerifierKey key;
  std::unique_ptr<ledger::Storage> storage;
};

/// @error NotFound  this machine has no node's files; says what makes them.
Result<OwnLog> open_own_log(const Invocation& invocation);

}  // namespace loam::cli
