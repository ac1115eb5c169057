#include "ledger/publisher.h"

#include "ledger/restore.h"

namespace loam::ledger {

Result<> Publisher::publish(const ReadEntries& read) {
  // What a failed try left is written again from the last checkpoint.
  if (half_written_) tiles_ = LOAM_TRY(TileWriter::open(folder_, key_));
  half_written_ = false;
  const std::vector<Bytes> entries = LOAM_TRY(read(tiles_.size()));
  half_written_ = true;
  LOAM_TRY(tiles_.publish(entries, log_key_));
  half_written_ = false;
  return keep();
}

Result<> Publisher::keep() {
  return keep_head(head_file_, {.origin = key_.name, .size = tiles_.size(), .root = tiles_.root()},
                   log_key_);
}

}  // namespace loam::ledger
