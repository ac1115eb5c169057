// The copy of one log that is followed: its records, its bodies, its newest checkpoint. Inside this
// module only.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>

#include "commons/follow_table.h"
#include "ledger/log_source.h"

namespace loam::commons {

/// What a poll tells while it goes on, so that nothing is lost when it fails later.
struct PollEvents {
  std::function<Result<>(std::span<const ledger::RecordId> ids)> on_erased;
  std::function<Result<>(std::uint64_t index)> on_late_body;
  std::function<bool()> should_stop;  // asked between requests
};

struct Polled {
  std::string refused = {};  // why; empty: it was not
  std::string came = {};     // if it was refused: the checkpoint, as it came
  std::string signer = {};   // if another key signed it: which, as the note says
  bool complete = false;     // nothing is left to be read
};

/// What a followed log is called here, and its folder.
std::string followed_id(const crypto::PublicKey& key);

/// One poll at a time; everything else may be called meanwhile from any thread.
class FollowCopy {
 public:
  /// @error NotFound  see FollowTable::open.
  static Result<std::unique_ptr<FollowCopy>> open(const env::Path& folder);
  static Result<std::unique_ptr<FollowCopy>> make(const env::Path& folder, const std::string& url,
                                                  const crypto::VerifierKey& key,
                                                  std::int64_t now_ms);

  const crypto::VerifierKey& key() const { return key_; }
  const env::Path& folder() const { return folder_; }
  Result<FollowedLog> about();
  Result<> set_polled(FollowState state, const std::string& trouble, const std::string& evidence,
                      std::int64_t now_ms);
  /// The signed note of the newest checkpoint that was accepted; empty if none was.
  Result<std::string> last_note() const;
  /// Records whose bodies were asked for, so that each is indexed once.
  static SearchedLog searched(const std::shared_ptr<FollowCopy>& copy);
  /// What is retracted by records behind those: erased here, and perhaps indexed still.
  Result<std::vector<ledger::RecordId>> erased_ahead();

  Result<std::optional<FollowedRecord>> find(const ledger::RecordId& id);
  /// Who retracts `id` by a record of this log.
  Result<std::vector<crypto::PublicKey>> retractors(const ledger::RecordId& id);
  /// The record, if it is here, and the edits of it and votes on it, as far as `key` may retract
  /// them. @error PermissionDenied  it is here, and `key` may not.
  Result<std::vector<ledger::RecordId>> spoken_for(const ledger::RecordId& id,
                                                   const crypto::PublicKey& key);
  /// Erases the text of `id`, which `key` retracts in another log. False: it is not here, or `key`
  /// may not.
  Result<bool> withdraw(const ledger::RecordId& id, const crypto::PublicKey& key);
  /// How many of its records were compared with those of other logs.
  Result<std::uint64_t> compared();
  Result<> set_compared(std::uint64_t records);
  /// [first, first + count), fewer at the end.
  Result<std::vector<ledger::StoredRecord>> records(std::uint64_t first, std::uint64_t count);
  Result<> scrub();

  /// Takes what is new, at most `records_max` records: those first, and what they retract goes,
  /// then bodies, as far as they can be had.
  /// @error Corrupt  no checkpoint, or files that do not fit it. Unavailable and others as
  ///        LogSource; whatever was taken before stays.
  Result<Polled> poll(ledger::LogSource& source, std::uint64_t records_max,
                      const PollEvents& events);

 private:
  FollowCopy(env::Path folder, crypto::VerifierKey key, FollowTable table,
             std::unique_ptr<ledger::Storage> storage)
      : folder_(std::move(folder)),
        key_(std::move(key)),
        table_(std::move(table)),
        storage_(std::move(storage)) {}
  static Result<std::unique_ptr<FollowCopy>> with(env::Path folder, FollowTable table);

  Result<crypto::Checkpoint> last_checkpoint() const;
  Result<Polled> take(ledger::LogSource& source, std::uint64_t records_max,
                      const PollEvents& events);
  Result<std::string> check_goes_on(ledger::LogSource& source, const crypto::Checkpoint& came);
  Result<> load_frontier();
  Result<std::string> take_records(ledger::LogSource& source, const crypto::Checkpoint& head,
                                   const PollEvents& events);
  Result<std::string> append(const std::vector<Bytes>& entries, const PollEvents& events);
  Result<> take_bodies(ledger::LogSource& source, const PollEvents& events);
  Result<> take_late_bodies(ledger::LogSource& source, const PollEvents& events);
  struct FoundBody {
    ledger::RecordId id;
    ledger::SaltedBody body;
  };
  Result<std::optional<FoundBody>> find_body(ledger::LogSource& source, std::uint64_t index);
  Result<> put_bodies(const std::vector<FoundBody>& bodies);

  const env::Path folder_;
  const crypto::VerifierKey key_;
  std::mutex mutex_;
  FollowTable table_;                         // under mutex_
  std::unique_ptr<ledger::Storage> storage_;  // under mutex_
  bool unscrubbed_ = true;                    // under mutex_; erased text may be in its file
  std::atomic<std::uint64_t> settled_ = 0;    // as in table_
  std::optional<crypto::Frontier> frontier_;  // of all of storage_; poll() only
};

}  // namespace loam::commons
