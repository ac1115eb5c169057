// Folders outside the home that its owner had written from the node's log: exports and data sets.
#pragma once

#include <span>
#include <vector>

#include "env/folders.h"
#include "ledger/record_id.h"

namespace loam::commons {

/// The list of such folders, a file of the home, so that a retraction reaches what they hold.
/// Programs may use one list at the same time. DESIGN.md 8.6.
class Copies {
 public:
  static Copies of(const env::Folders& folders);
  explicit Copies(env::Path list) : list_(std::move(list)) {}

  /// To be called before the first text is written to `folder`. Each is listed once, however often
  /// it is written to. Where no node has its home, nothing needs to be remembered.
  /// @error InvalidArgument  a name that is not one line of UTF-8. ResourceExhausted  the list is
  ///        as long as erase() can read. @error as env::write_all().
  Result<> remember(const env::Path& folder) const;

  /// The folders, in the order in which they were remembered, each once; some may be gone.
  /// @error as env::read_file(), of the list.
  Result<std::vector<env::Path>> list() const;

  struct Reached {
    std::vector<env::Path> erased;  // exports that had their texts, and no longer do
    // Data sets, sealed as they are; unfinished ones, FOLDER.building; what cannot be read or
    // written.
    std::vector<env::Path> left;
  };
  /// Deletes the texts of `records` from exports, for good: a power cut brings none of them back.
  /// Folders that are not there (any more) hold none.
  /// @error as env::read_file(), of the list.
  Result<Reached> erase(std::span<const ledger::RecordId> records) const;

 private:
  env::Path list_;
};

}  // namespace loam::commons
