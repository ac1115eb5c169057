// The keys of a node's log and of the authors that write to it: files of mode 0600.
#pragma once

#include <vector>

#include "crypto/ed25519.h"
#include "env/disk.h"
#include "ledger/state.h"

namespace loam::ledger {

inline constexpr std::size_t kAuthorsMax = 1000;  // chosen: a rotation a day for three years

/// Different keys, and none is the network's. @source DESIGN.md 8.3.
struct LogKeys {
  LogKeys(crypto::SigningKey log_key, crypto::SigningKey first_author, env::Path key_folder = {});

  env::Path folder;
  crypto::SigningKey log;  // signs checkpoints
  /// Sign records, one at a time: the present one, those before it, and perhaps one that the log
  /// does not know yet. Never empty. The first one is "author.key"; files are never renamed.
  std::vector<crypto::SigningKey> authors;
};

/// The keys in `folder`; made if there is no log key.
/// @param head_file  LogSetup's: if it is there while the keys are not, they were lost. Empty:
/// none.
/// @error PermissionDenied  others may read them. @error Corrupt  one is damaged or missing: a log
///        whose key is lost cannot go on, so none is made in its place.
Result<LogKeys> open_keys(const env::Path& folder, const env::Path& head_file = {});
/// The same, and none are made. @error NotFound  there is no log key.
Result<LogKeys> read_keys(const env::Path& folder);
/// Makes the folder and the files; the log's key comes last, so that keys without it are the rest
/// of an interrupted call, and may be there already. @error AlreadyExists  other keys are there.
Result<> write_keys(const LogKeys& keys);

/// The author key that signs the next record of a log in this state: the one that it knows and that
/// was not ended; the first one, if it knows none of them.
/// @error PermissionDenied  all of them were ended.
Result<const crypto::SigningKey*> writing_key(const StateReader& state, const LogKeys& keys);
/// The same for a record with this header: a retraction is signed by the writing key if that may
/// retract its target, else by one that may, ended or not.
Result<const crypto::SigningKey*> signing_key(const StateReader& state, const LogKeys& keys,
                                              const Header& header);
/// Whether one of the keys may retract what `author` wrote.
Result<bool> speak_for(const StateReader& state, const LogKeys& keys,
                       const crypto::PublicKey& author);
/// A key to follow the writing one, its file on the disk: the one that a rotation left that never
/// came into the log, else a new one.
Result<crypto::PublicKey> prepare_successor(const StateReader& state, LogKeys& keys);

/// Writes a key's file, mode 0600; @error AlreadyExists  there is one.
Result<> write_key(const env::Path& file, const crypto::SigningKey& key);
Result<crypto::SigningKey> read_key(const env::Path& file);

}  // namespace loam::ledger
