// A node's log with all that belongs to it on the disk: opened in whatever state it is, continued
// from a copy, or followed by a new one. DESIGN.md 8.10.
#pragma once

#include <memory>

#include "env/folders.h"
#include "ledger/log.h"
#include "ledger/log_source.h"
#include "ledger/verify.h"

namespace loam::ledger {

/// Where a node keeps its log. Only the holder of the node's lock may change anything there.
struct LogHome {
  env::Path base;       // keys/, ledger.db, log/
  env::Path head_file;  // elsewhere, so that an old copy of `base` is noticed
  NetId net = kPublicNet;

  static LogHome of(const env::Folders& folders);
  env::Path keys() const { return base / "keys"; }
  env::Path database() const { return base / "ledger.db"; }
  LogSetup setup() const { return {.folder = base / "log", .head_file = head_file, .net = net}; }
  crypto::VerifierKey verifier_key(const LogKeys& keys) const;
};

/// The log, with new keys if there were none. What Log::open() refuses is opened as one that can be
/// read and signs nothing (make_stopped_log). Finishes what start_new_log() began.
/// @error as open_keys() and open_sqlite_storage().
Result<std::unique_ptr<Log>> open_log(const LogHome& home, env::Clock& clock);

/// The newest checkpoint of this log that is known here, wherever it lies; empty if none is.
std::optional<crypto::Checkpoint> last_checkpoint(const LogHome& home,
                                                  const crypto::VerifierKey& key);

struct Resumed {
  std::uint64_t records = 0;  // in the log now
  std::uint64_t fetched = 0;  // records that were missing
  std::uint64_t bodies = 0;   // that came back
  std::uint64_t without = 0;  // records whose body is neither here nor there
};

/// Brings the log level with a copy of it, after which it signs again. The copy must be signed by
/// the log's key, go on from what is here, and hold all that was signed as far as this node knows.
/// What is fetched is in the database only once all of it was checked; an interrupted call is
/// repeated. Whether there are newer copies elsewhere, nobody here can know.
/// @error Corrupt  a damaged copy, or two histories. @error NotFound  the copy is too short, or no
///        key is here. @error Unavailable  as LogSource::read(). @error Cancelled.
Result<Resumed> resume_log(const LogHome& home, LogSource& copy, const OnVerified& on_record);

/// Puts the log aside, into a folder below `base`, and starts another with new keys. Its first
/// record links to the old one, if anything was signed there: docs/formats/log.md.
/// @return the folder of the old log. @error NotFound  there is no log.
Result<env::Path> start_new_log(const LogHome& home, env::Clock& clock);

}  // namespace loam::ledger
