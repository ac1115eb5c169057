// Reading a published log, wherever it lies: a folder, this node's own files, or a web server.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/storage.h"
#include "ledger/tiles.h"

namespace loam::ledger {

/// A body with its salt as it is served under body/ID: {"salt": base64, "body": base64}.
std::string body_json(const SaltedBody& body);
/// @error Corrupt  anything else, or a body over kBodyBytesMax.
Result<SaltedBody> parse_body_json(std::string_view text);

/// What body_json() writes for the largest body, with room to spare.
inline constexpr std::uint64_t kBodyJsonBytesMax = 3 * kBodyBytesMax / 2;

/// Gives the files of one log; what they hold is not checked here. Twins: a folder, a folder with
/// its database, commons::open_http_log, and lists in tests.
/// @thread  as the twin says; those of this module: any.
class LogSource {
 public:
  virtual ~LogSource() = default;
  /// The file at `path` below the log: "checkpoint", "tile/entries/000", "tile/0/x001/234.p/5".
  /// @error NotFound. @error ResourceExhausted  larger than `bytes_max`. @error Unavailable  a
  ///        server that is not there, or one that answers something else.
  virtual Result<std::string> read(std::string_view path, std::uint64_t bytes_max) = 0;
  /// @error NotFound  there is none here, or none any more: retracted, not served, never had.
  /// @error Corrupt  not as body_json() writes it. Its commitment is the caller's to check.
  virtual Result<SaltedBody> body(const RecordId& id) = 0;
  /// For messages: the folder or the URL.
  virtual std::string name() const = 0;
};

/// An exported log, or a data set's copy: bodies are files body/ID.
std::unique_ptr<LogSource> open_log_folder(env::Path folder);
/// This node's own: tiles in `folder`, bodies in its database; those that the operator blocked are
/// not given. Calls of storage are made one at a time. `storage` must outlive it.
std::unique_ptr<LogSource> open_own_log(env::Path folder, Storage& storage);

/// Entries [256 bundle, ...) of a log of `size` entries, `width` of them.
/// Asks for the full bundle where the part of that size is gone.
/// @error Corrupt  not that many whole entries; names the file. Else as LogSource::read().
Result<std::vector<Bytes>> read_bundle(LogSource& source, std::uint64_t bundle,
                                       std::uint64_t width);
/// The newest checkpoint, and the note that holds it.
struct SignedCheckpoint {
  crypto::Checkpoint checkpoint;
  std::string note;
};
/// @error Corrupt  not signed by `key`, or of another origin than the key's name.
Result<SignedCheckpoint> read_checkpoint(LogSource& source, const crypto::VerifierKey& key);

}  // namespace loam::ledger
