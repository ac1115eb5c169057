// Sharing: from a private answer, through redaction and a time to think, to a record in the log.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "commons/redaction.h"
#include "env/clock.h"
#include "env/disk.h"
#include "ledger/log.h"

namespace loam::commons {

/// What somebody wants to share.
struct ShareRequest {
  std::string caller = "owner";       // whose submission it is: pool::Caller::id
  ledger::Conversation conversation;  // as it was; masked here, its language told here
  std::vector<crypto::Digest> models;
  std::string licence;
  ledger::Scope scope;
  std::string answer;                          // what the private store calls it; empty: an edit
  std::optional<ledger::RecordId> edits = {};  // the record that it improves
  std::string id = {};  // of the submission, from new_submission_id(); empty: one is made
};

/// "share-...": nothing knows of it until something is shared under it.
std::string new_submission_id();

/// What the owner agreed to once, so that requests may ask for their answers to be shared.
struct StandingConsent {
  std::vector<std::string> licences;  // at least one
  ledger::Scope scope;
  std::int64_t given_ms = 0;

  bool covers(std::string_view licence, ledger::Scope wanted) const;
};

/// What will stand in the log, before anything is signed. Author, sequence number, time and
/// signature are made when it is published, the salt and with it the commitment when it is shared.
/// DESIGN.md 8.1.
struct Preview {
  ledger::Header header;              // what of it is not made yet means nothing
  ledger::Conversation conversation;  // after redaction
  struct Place {
    std::size_t message = 0;  // of the conversation
    Finding finding{};
    std::string original;  // what was masked; for the owner's eyes
  };
  std::vector<Place> masked;
};

enum class ShareState : std::uint8_t { kQueued, kPublished, kRetracted };
std::string_view state_name(ShareState state);

struct Submission {
  std::string id;  // of this node: "share-..."
  ShareState state = ShareState::kQueued;
  std::string caller;
  std::string answer;
  std::optional<ledger::RecordId> edits = {};
  std::string licence;
  ledger::Scope scope;
  std::uint32_t masked = 0;
  std::int64_t made_ms = 0;
  std::int64_t publishes_ms = 0;  // or when it was published
  std::optional<ledger::RecordId> record = {};
};

struct SharingOptions {
  std::int64_t cooling_s = 600;  // in which it can be taken back without a trace
  std::int64_t batch_s = 3600;  // published at whole multiples, so that times tell less; 1: at once
};

enum class When { kAfterCooling, kNow };

/// Thread-safe. What is queued survives a restart, and becomes one record however often the node
/// dies while publishing it.
class Sharing {
 public:
  /// `log` and `clock` must outlive this.
  static Result<std::unique_ptr<Sharing>> open(const env::Path& database, ledger::Log& log,
                                               env::Clock& clock, SharingOptions options);
  virtual ~Sharing() = default;

  /// @error InvalidArgument  licence, scope or shape. @error ResourceExhausted  too long. @error as
  ///        Log::check_signs(): what cannot be published is not queued either.
  virtual Result<Preview> preview(const ShareRequest& request) = 0;
  /// @error as preview(), and as Log::post() for When::kNow: the message then says that it stays
  ///        queued, and the hint how to take it back.
  virtual Result<Submission> share(const ShareRequest& request, When when) = 0;
  /// Publishes a queued one at once. @error NotFound; as share() for When::kNow.
  virtual Result<Submission> hurry(const std::string& id) = 0;
  /// Takes back what is queued; nothing of it remains. @error NotFound; AlreadyExists: published,
  ///        or so nearly that its record may be in the log.
  virtual Result<> cancel(const std::string& id) = 0;
  /// @error NotFound.
  virtual Result<Submission> find(const std::string& id) = 0;
  /// The one that became `record`; empty if none did, as of what was posted elsewhere.
  virtual Result<std::optional<Submission>> of_record(const ledger::RecordId& record) = 0;
  /// Newest first; of `caller` only, unless empty.
  virtual Result<std::vector<Submission>> list(std::size_t submissions_max,
                                               std::string_view caller = {}) = 0;
  /// Of a queued one: what will be published. @error NotFound.
  virtual Result<ledger::Conversation> queued(const std::string& id) = 0;

  /// Empty if it was never given or was withdrawn, and if the words of consent have changed since.
  virtual Result<std::optional<StandingConsent>> standing() = 0;
  /// In place of an earlier one. @error InvalidArgument  a licence, or no licence or scope.
  virtual Result<StandingConsent> give_standing(std::vector<std::string> licences,
                                                ledger::Scope scope) = 0;
  virtual Result<> withdraw_standing() = 0;

  /// Votes on a record of this node's log or of one that it follows. The owner's newest vote
  /// counts.
  /// @error InvalidArgument  it is no answer. NotFound  it was retracted.
  virtual Result<ledger::Record> rate(const ledger::StoredRecord& target, ledger::Vote vote) = 0;
  /// What share() makes an edit of: `answer` in place of the record's last message, under the
  /// record's licence and scope. @error NotFound  no such record, or its body is gone.
  virtual Result<ShareRequest> edit_of(const ledger::RecordId& id, std::string_view answer) = 0;

  struct Retracted {
    std::vector<ledger::RecordId> records;  // it, and own edits of it and votes on it
    std::string answer;                     // what the private store calls it; may be empty
  };
  /// Erases body and salt, of own edits too, and says so in the log; what is queued of the same
  /// answer or edits it goes without a trace. Repeated, it does what an interrupted call did not.
  /// It counts as published until set_erased().
  /// @param signer  a recovery key, in place of this node's keys; may be empty.
  /// @error NotFound; PermissionDenied: somebody else's.
  virtual Result<Retracted> retract(const ledger::RecordId& id, ledger::RetractionReason reason,
                                    std::shared_ptr<const crypto::SigningKey> signer = {}) = 0;
  /// What the log says was retracted, and set_erased() was not told of: as after a crash between
  /// the two, or where retractions came back from a mirror. What is queued of it goes, as above.
  virtual Result<std::vector<Retracted>> unerased() = 0;
  /// The words of these records are in none of the node's stores any more.
  virtual Result<> set_erased(std::span<const ledger::RecordId> records) = 0;

  /// Publishes what is due; called by the sharing's own thread. For tests with a manual clock.
  virtual Result<std::size_t> publish_due() = 0;
};

}  // namespace loam::commons
