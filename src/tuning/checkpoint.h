// The state of a run as a file: with it a run goes on as if it had never stopped.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "env/disk.h"
#include "train/optimizer.h"

namespace loam::tuning {

struct Checkpoint {
  crypto::Digest run{};           // of what the run is made of: another one's state does not fit
  std::uint64_t step = 0;         // steps that were made
  std::vector<float> parameters;  // all spans one after the other
  train::AdamWState optimizer;    // as many numbers, twice
};

/// "LOAMCKP1", run, u64 step, u64 optimizer steps, u64 count, then parameters, means and squares as
/// binary32, then the SHA-256 of all that; little-endian. docs/formats/checkpoint.md.
Bytes encode_checkpoint(const Checkpoint& checkpoint);
/// @error Corrupt  not such a file, or damaged.
Result<Checkpoint> decode_checkpoint(ByteView bytes);

/// The checkpoints of a run in one folder: the two newest stay.
class Checkpoints {
 public:
  explicit Checkpoints(env::Path folder) : folder_(std::move(folder)) {}

  /// On the disk when it returns; a crash leaves what was there before.
  Result<> save(const Checkpoint& checkpoint) const;
  /// The newest that is whole and of this run; nothing if there is none. A damaged one is passed
  /// over for the one before it.
  Result<std::optional<Checkpoint>> newest(const crypto::Digest& run) const;

 private:
  Result<std::vector<std::string>> names() const;  // the oldest first
  Result<> remove_all_but(const std::string& newest) const;

  const env::Path folder_;
};

}  // namespace loam::tuning
