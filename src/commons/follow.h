// Following: logs of others, checked, kept and searched here.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "commons/search.h"
#include "env/clock.h"
#include "ledger/log_source.h"

namespace loam::commons {

/// How the last poll ended. The numbers are on the disk.
enum class FollowState : std::uint8_t {
  kWaiting = 0,   // not polled yet
  kFollowed = 1,  // all that was there is here
  kTrouble = 2,   // a server that is not there, or gives what is not of the log; tried again
  kRefused = 3,   // what the log signed does not go on from what it signed before
};
std::string_view state_name(FollowState state);

struct FollowedLog {
  std::string id;      // 16 hexadecimal digits of its key
  std::string url;     // where it is read
  std::string key;     // as loam follow add was given it
  std::string origin;  // of the key
  FollowState state = FollowState::kWaiting;
  std::string trouble = {};   // why it is not kFollowed; a sentence for people
  std::string evidence = {};  // folder with two checkpoints that do not go together; may be empty
  std::uint64_t records = 0;  // checked and kept
  std::uint64_t behind = 0;   // of those under the newest checkpoint that are still to be read
  std::int64_t added_ms = 0;
  std::int64_t polled_ms = 0;  // last with success; 0: never
};

struct FollowedRecord {
  std::string log;  // its origin
  ledger::StoredRecord stored;
  std::optional<ledger::SaltedBody> body;  // what is left of it
};

/// Makes what a URL names readable; it asks `should_stop` while it waits.
using OpenSource = std::function<Result<std::unique_ptr<ledger::LogSource>>(
    std::string url, std::function<bool()> should_stop)>;

/// Who retracts a record, of those that refer to it.
std::vector<crypto::PublicKey> retractors_among(std::span<const ledger::StoredRecord> referring);

struct FollowOptions {
  std::int64_t poll_s = 600;
  bool offline = false;                 // nothing is polled
  std::string own_origin = {};          // of this node's log, which is not followed
  std::uint64_t records_max = 100'000;  // of one poll; the next one goes on. Chosen.
  std::int64_t time_ms_max = 300'000;   // of one poll. Chosen: a server may be slow on purpose.
  /// Who retracts a record by a record of this node's own log; empty: nobody.
  std::function<Result<std::vector<crypto::PublicKey>>(const ledger::RecordId&)> own_retractors =
      {};
};

/// Thread-safe. What was followed stays, whatever a log does later, except for bodies that are
/// retracted, in their own log or by a key that speaks there in another one that is followed, or in
/// this node's: they are deleted in the poll that sees the retraction.
class Following {
 public:
  /// Goes on with what lies in `folder`. `search` and `clock` must outlive this.
  /// @error PermissionDenied  the folder.
  static Result<std::unique_ptr<Following>> open(env::Path folder, Search& search,
                                                 env::Clock& clock, FollowOptions options,
                                                 OpenSource open_source);
  virtual ~Following() = default;

  /// Begins at once, in the background. `key` is a verifier key that the owner got from somebody he
  /// trusts: it is never asked of the log.
  /// @error InvalidArgument  a URL or a key that is none, a log of another network, the own one.
  /// @error AlreadyExists  it is followed. ResourceExhausted  too many are.
  virtual Result<FollowedLog> add(const std::string& url, const std::string& key) = 0;
  /// Deletes what is kept of it, words too; evidence stays. @error NotFound.
  virtual Result<> remove(const std::string& id) = 0;
  virtual Result<std::vector<FollowedLog>> list() = 0;
  /// Polls now, and waits for the end. @error NotFound. Trouble is in what comes back.
  virtual Result<FollowedLog> poll(const std::string& id) = 0;

  /// Nothing if no followed log has it.
  virtual Result<std::optional<FollowedRecord>> find(const ledger::RecordId& id) = 0;
  /// What `key` may retract with the record `id`: it, and edits of it and votes on it.
  /// @error NotFound  no followed log has it. @error PermissionDenied  the key does not speak for
  ///        its author.
  virtual Result<std::vector<ledger::RecordId>> spoken_for(const ledger::RecordId& id,
                                                           const crypto::PublicKey& key) = 0;
  /// Erases here what `key` retracts, as far as it may. @error Unavailable  traces may be left in a
  ///        file that another program reads: to be called again.
  virtual Result<> withdraw(std::span<const ledger::RecordId> ids,
                            const crypto::PublicKey& key) = 0;
};

}  // namespace loam::commons
