// The cooling-off queue on the disk. Inside this module only.
#pragma once

#include <utility>

#include "commons/sharing.h"
#include "store/database.h"

namespace loam::commons {

/// A submission with what will be published; the text is there only while it is queued.
struct Queued {
  Submission submission;
  ledger::SaltedBody body;
  std::vector<crypto::Digest> models;
};

/// Not thread-safe. Errors as store::Statement.
class ShareTable {
 public:
  /// Overwrites what a crash kept from being overwritten.
  static Result<ShareTable> open(const env::Path& file);

  /// Leaves no trace of removed texts in the files, if there may be any: what a call below could
  /// not do because another program read. @error Unavailable  it still reads.
  Result<> scrub();
  Result<> add(const Queued& queued);
  /// Nothing of it remains in the file.
  Result<> remove(const std::string& id);
  /// The text goes, id and record stay.
  Result<> set_published(const std::string& id, const ledger::RecordId& record, std::int64_t at_ms);
  Result<> set_due(const std::string& id, std::int64_t due_ms);
  /// Marks the submission that became `record`, if one did.
  Result<> set_retracted(const ledger::RecordId& record);
  /// Nothing remains of queued edits of `record`, and of what is queued of `answer` unless empty.
  Result<> remove_queued(const ledger::RecordId& record, const std::string& answer);

  Result<std::optional<Submission>> find(const std::string& id);
  Result<std::optional<Submission>> of_record(const ledger::RecordId& record);
  /// The records of what is marked as published.
  Result<std::vector<ledger::RecordId>> published();
  /// Newest first; of `caller` only, unless empty.
  Result<std::vector<Submission>> list(std::size_t submissions_max, std::string_view caller);
  Result<std::optional<Queued>> queued(const std::string& id);
  /// Ids of what is to be published by `now_ms`, oldest first.
  Result<std::vector<std::string>> due(std::int64_t now_ms);
  /// The standing consent and the hash of the words that it was given to.
  Result<std::optional<std::pair<StandingConsent, crypto::Digest>>> standing();
  Result<> set_standing(const StandingConsent& consent, const crypto::Digest& words);
  Result<> remove_standing();
  /// When the next one is due; empty if nothing is queued.
  Result<std::optional<std::int64_t>> next_due();

 private:
  explicit ShareTable(store::Database database) : database_(std::move(database)) {}
  Result<> scrub_removed();
  store::Database database_;
  bool unscrubbed_ = true;  // removed texts may still be in the files
};

}  // namespace loam::commons
