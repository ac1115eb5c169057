// The logs that are on this machine, asked what was withdrawn: the node's own, and its copies of
// those that it follows. No running node is needed.
#pragma once

#include <memory>
#include <vector>

#include "env/folders.h"
#include "ledger/storage.h"

namespace loam::commons {

/// Not thread-safe. A node may go on writing to all of them meanwhile.
class KnownLogs {
 public:
  /// Those of the node with these folders; makes nothing where none are.
  /// @error as ledger::open_sqlite_storage() and env::names_in().
  static Result<KnownLogs> open(const env::Folders& folders);

  /// Whether the record `id`, or the one that it is an edit of, was retracted by somebody who may,
  /// in whichever of the logs. What no log here holds is not known to be.
  Result<bool> withdrawn(const ledger::RecordId& id) const;

 private:
  Result<bool> withdrawn_itself(const ledger::RecordId& id) const;
  Result<bool> retracted_in_another(const ledger::RecordId& id, const crypto::PublicKey& author,
                                    const ledger::Storage& home) const;

  std::vector<std::unique_ptr<ledger::Storage>> logs_;
};

}  // namespace loam::commons
