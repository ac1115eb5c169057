// The copy of a followed log, read as the log itself is: for when its server is not there.
#pragma once

#include <memory>

#include "crypto/note.h"
#include "env/disk.h"
#include "ledger/log_source.h"
#include "ledger/storage.h"

namespace loam::commons {

/// The log with this key as a node's last poll of it left it below `folder`, the node's own for
/// followed logs. The node may go on polling meanwhile. A record under the checkpoint that was not
/// read yet is NotFound.
/// @error NotFound  it is not followed, or nothing of it was read yet. Else as
///        ledger::open_sqlite_storage().
Result<std::unique_ptr<ledger::LogSource>> open_log_copy(const env::Path& folder,
                                                         const crypto::VerifierKey& key);

/// A record in that copy; nothing if it is not there, or if there is no copy (yet).
/// @error as ledger::open_sqlite_storage().
Result<std::optional<ledger::StoredRecord>> find_in_copy(const env::Path& folder,
                                                         const crypto::VerifierKey& key,
                                                         const ledger::RecordId& id);

/// The log, of which nothing is asked again that lies in the copy, but for its checkpoint. What
/// reads it verifies it: the two are one log if its root comes out.
std::unique_ptr<ledger::LogSource> copy_first(std::unique_ptr<ledger::LogSource> copy,
                                              std::unique_ptr<ledger::LogSource> log);

}  // namespace loam::commons
