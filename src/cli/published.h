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

/// What a log that cannot be read does to the others.
enum class IfUnreadable : std::uint8_t {
  kFail,  // nothing is shown: it was asked for
  kSkip,  // it is left out, and said to be
};

/// Logs, each with its key at the same place, whose node's files lie beside it: https://.../log and
/// https://.../blob.
struct NamedLogs {
  std::vector<std::string> from, keys;
  IfUnreadable if_unreadable = IfUnreadable::kFail;
};

/// A log that was left out.
struct UnreadLog {
  std::string from;  // as it was named
  Error why;
};

struct FoundPublication {
  ledger::RecordId id;
  ledger::Publication payload;
  std::string log;          // its origin
  std::uint64_t index = 0;  // there
  std::int64_t time_s = 0;
  bool withdrawn = false;
};

/// The log at `where`, of which nothing is asked again that a node here keeps of it. If nobody
/// answers there, what is kept, and that is said. @error as open_log_at().
Result<std::unique_ptr<ledger::LogSource>> named_log(const Invocation& invocation,
                                                     const std::string& where,
                                                     const crypto::VerifierKey& key);

/// Everything that was read stays in memory until it ends.
class Published {
 public:
  /// Reads and verifies this machine's own log, if it has one, and `logs`: of one that is followed
  /// and cannot be reached the copy here, and says so.
  /// @error NotFound  no log at all. @error Corrupt  a log that is damaged, unless it may be left
  ///        out; this machine's own never is. @error Cancelled.
  static Result<std::unique_ptr<Published>> open(Invocation& invocation, const NamedLogs& logs);

  release::Archive& archive() { return *archive_; }
  release::Attestations attestations(const ledger::RecordId& publication) const {
    return release::attestations_of(facts_, publication);
  }
  /// How many records with a text of the data set's logs, below their heights in it, were retracted
  /// since: what is built again then may be another data set. Votes say what they said.
  std::uint64_t retracted_since(const dataset::Manifest& data_set) const;
  const std::vector<UnreadLog>& unread() const { return unread_; }
  /// The publications of adapters, the newest first.
  std::vector<FoundPublication> list() const;
  /// By the record's id; by at least 8 digits of an adapter's hash; by the name of a model in the
  /// catalogue, or that under which it was published. Of several that published one adapter the
  /// newest. @error NotFound. @error InvalidArgument  it may be different ones: names them.
  Result<ledger::RecordId> find(const Invocation& invocation, const std::string& what) const;

 private:
  Published() = default;
  void leave_out(Invocation& invocation, const std::string& from, const Error& why);

  std::optional<OwnLog> own_;
  std::vector<std::unique_ptr<ledger::LogSource>> sources_;
  std::vector<UnreadLog> unread_;
  dataset::Facts facts_;
  std::unique_ptr<release::BlobSource> blobs_;
  std::unique_ptr<release::Archive> archive_;
};

}  // namespace loam::cli
