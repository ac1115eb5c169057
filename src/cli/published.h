// What was published, as the command line finds it: in this node's log and those that are named.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/invocation.h"
#include "cli/own_log.h"
#include "dataset/facts.h"
#include "release/attestations.h"
#include "release/lineage.h"

namespace loam::cli {

/// Logs, each with its key at the same place, whose node's files lie beside it: https://.../log and
/// https://.../blob.
struct NamedLogs {
  std::vector<std::string> from, keys;
};

struct FoundPublication {
  ledger::RecordId id;
  ledger::Publication payload;
  std::string log;          // its origin
  std::uint64_t index = 0;  // there
  std::int64_t time_s = 0;
  bool withdrawn = false;
};

/// Everything that was read stays in memory until it ends.
class Published {
 public:
  /// Reads and verifies this machine's own log, if it has one, and `logs`: of one that is followed
  /// and cannot be reached the copy here, and says so.
  /// @error NotFound  no log at all. @error Corrupt  a log that is damaged. @error Cancelled.
  static Result<std::unique_ptr<Published>> open(Invocation& invocation, const NamedLogs& logs);

  release::Archive& archive() { return *archive_; }
  release::Attestations attestations(const ledger::RecordId& publication) const {
    return release::attestations_of(facts_, publication);
  }
  /// The publications of adapters, the newest first.
  std::vector<FoundPublication> list() const;
  /// By the record's id; by at least 8 digits of an adapter's hash; by the name of a model in the
  /// catalogue, or that under which it was published. Of several that published one adapter the
  /// newest. @error NotFound. @error InvalidArgument  it may be different ones: names them.
  Result<ledger::RecordId> find(const Invocation& invocation, const std::string& what) const;

 private:
  Published() = default;
  std::optional<OwnLog> own_;
  std::vector<std::unique_ptr<ledger::LogSource>> sources_;
  dataset::Facts facts_;
  std::unique_ptr<release::BlobSource> blobs_;
  std::unique_ptr<release::Archive> archive_;
};

}  // namespace loam::cli
