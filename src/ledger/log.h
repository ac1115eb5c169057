// The node's own log: one writer, append-only, published as tlog-tiles.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "env/clock.h"
#include "ledger/keys.h"
#include "ledger/storage.h"
#include "ledger/tiles.h"

namespace loam::ledger {

/// A record that is still to get its author, sequence number, time and signature.
struct Draft {
  Kind kind = Kind::kData;
  std::vector<RecordId> refs = {};
  std::string licence = {};
  std::optional<crypto::Digest> consent = {};
  std::vector<crypto::Digest> models = {};
  Bytes payload = {};
  Scope scope = {};
  std::optional<SaltedBody> body = {};
  /// Signs it in place of the log's author: a recovery key, or a key of a log that is lost. Of
  /// retractions only.
  std::shared_ptr<const crypto::SigningKey> signer = {};
  /// Of the caller: a second post with the same token gives the record of the first one, so that
  /// whoever does not know whether it was posted may post again. Empty: none.
  std::string token = {};
};

/// The header that `draft` will have, but for author, sequence number and time.
/// @error InvalidArgument  as check_header(); a signer of something else than a retraction. @error
/// ResourceExhausted  a body over 1 MiB.
Result<Header> header_of(const Draft& draft);

struct LogSetup {
  env::Path folder;     // of tiles and checkpoint
  env::Path head_file;  // the highest checkpoint, kept outside the folder. DESIGN.md 8.10
  NetId net = kPublicNet;
  std::size_t waiting_max = 4096;  // posts; more are refused
};

/// Thread-safe. Posts that arrive at the same time share one transaction and its fsync.
///
/// A record is *committed* when post() returns: it is on the disk. It is *published* within a
/// second after: its tiles are written and a signed checkpoint covers it. DESIGN.md 8.5.
class Log {
 public:
  /// Publishes what was committed and not yet published, then starts the threads.
  /// @error Corrupt  tiles, database and checkpoint do not belong together; nothing is signed.
  /// @error AlreadyExists  as guard_head(): the log is, or may be, an old copy.
  /// make_stopped_log() gives a log that can be read after either.
  static Result<std::unique_ptr<Log>> open(LogSetup setup, LogKeys keys,
                                           std::unique_ptr<Storage> storage, env::Clock& clock);
  /// Publishes what is committed, and stops.
  virtual ~Log() = default;

  /// @error InvalidArgument, PermissionDenied, AlreadyExists, NotFound  as apply(); nothing was
  ///        written. @error ResourceExhausted  too many wait, or the disk is full.
  virtual Result<Record> post(Draft draft) = 0;
  /// All of them or none, one behind the other.
  virtual Result<std::vector<Record>> post_all(std::vector<Draft> drafts) = 0;
  /// What a post with this token became. @error as reading the database.
  virtual Result<std::optional<RecordId>> posted(std::string_view token) = 0;
  /// Has a new key sign from the next record on, which is a key record that names it. The key's
  /// file is on the disk before: whenever the node dies, the old key or the new one signs after it.
  /// @error as post().
  virtual Result<Record> rotate() = 0;
  /// Why nothing can be posted, if nothing can: the error of open().
  virtual Result<> check_signs() = 0;
  /// Leaves no trace of retracted text in the database's files, if there may be any: to be called
  /// before a retraction is acknowledged. Tried at the start and every minute, too.
  /// @error Unavailable  another program reads the database: to be called again.
  virtual Result<> scrub() = 0;
  /// Whether the body of `id` is served. @error NotFound.
  virtual Result<> set_blocked(const RecordId& id, bool blocked) = 0;

  virtual Result<std::uint64_t> size() = 0;
  virtual Result<std::optional<StoredRecord>> find(const RecordId& id) = 0;
  virtual Result<std::optional<StoredRecord>> at(std::uint64_t index) = 0;
  virtual Result<std::optional<SaltedBody>> body(const RecordId& id) = 0;
  virtual Result<std::vector<StoredRecord>> referring_to(const RecordId& id) = 0;

  /// Waits until everything committed so far is published. @error as writing files.
  virtual Result<> flush() = 0;
  /// Records under the newest signed checkpoint.
  virtual std::uint64_t published() = 0;
  virtual const crypto::VerifierKey& verifier_key() const = 0;
  /// The key that signs records now.
  virtual crypto::PublicKey author() = 0;
  /// Whether this node may retract what `author` wrote: one of its keys, now or before.
  virtual Result<bool> is_own(const crypto::PublicKey& author) = 0;
  /// Whether `key` may retract here what `author` wrote. state.h.
  virtual Result<bool> speaks_for(const crypto::PublicKey& key,
                                  const crypto::PublicKey& author) = 0;
  /// Of tiles and checkpoint.
  virtual const env::Path& folder() const = 0;
};

}  // namespace loam::ledger
