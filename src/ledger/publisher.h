// Tiles and checkpoint of what a log committed. Inside this module only.
#pragma once

#include <functional>

#include "ledger/log.h"

namespace loam::ledger {

/// Not thread-safe: of the thread that publishes, and of open() before it.
class Publisher {
 public:
  /// `log_key` must outlive this.
  Publisher(env::Path folder, env::Path head_file, crypto::VerifierKey key,
            const crypto::SigningKey& log_key, TileWriter tiles)
      : folder_(std::move(folder)),
        head_file_(std::move(head_file)),
        key_(std::move(key)),
        log_key_(log_key),
        tiles_(std::move(tiles)) {}

  /// Records under the newest checkpoint.
  std::uint64_t size() const { return tiles_.size(); }
  /// Entries from `first` on, some of them.
  using ReadEntries = std::function<Result<std::vector<Bytes>>(std::uint64_t first)>;
  /// Their tiles, and a checkpoint over them. @error as writing files: to be called again.
  Result<> publish(const ReadEntries& read);
  /// The newest checkpoint, once more where an old copy of the home does not have it.
  Result<> keep();

 private:
  const env::Path folder_, head_file_;
  const crypto::VerifierKey key_;
  const crypto::SigningKey& log_key_;
  TileWriter tiles_;
  bool half_written_ = false;
};

}  // namespace loam::ledger
