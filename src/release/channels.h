// What this node does with the publications of logs that it follows, and what it did.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/ed25519.h"
#include "env/disk.h"
#include "ledger/record_id.h"
#include "release/rollout.h"

namespace loam::release {

/// What happens when a followed log publishes an adapter.
enum class Adoption : std::uint8_t {
  kOff,   // nothing
  kAsk,   // it is listed; the owner takes it
  kAuto,  // it is verified, gated here and taken
};
std::string_view adoption_name(Adoption adoption);  // "off", "ask", "auto"
/// @error InvalidArgument  names those that there are.
Result<Adoption> parse_adoption(std::string_view name);

struct ChannelPolicy {
  Adoption adoption = Adoption::kAsk;
  /// So many of `attestors` must have attested "pass", and no gate runs here; 0: the gate runs.
  std::uint64_t attestations = 0;
  std::vector<crypto::PublicKey> attestors = {};  // empty, so that a node gates for itself
  friend bool operator==(const ChannelPolicy&, const ChannelPolicy&) = default;
};

/// What became of a publication.
struct Decision {
  enum class State : std::uint8_t { kTaken, kRefused, kRolledBack };
  State state = State::kTaken;
  std::string model;  // under which it answers, or did
  std::string why;    // for people
  std::int64_t at_ms = 0;
  friend bool operator==(const Decision&, const Decision&) = default;
};
std::string_view decision_name(Decision::State state);  // "taken", "refused", "rolled back"

/// A file of the home, which the node and the command line change.
class ChannelBook {
 public:
  struct Content {
    std::map<std::string, ChannelPolicy> policies;  // by the id of `loam follow ls`
    std::map<ledger::RecordId, Decision> decisions;
    std::map<std::string, Rollout> rollouts;  // by the name that the adapter answers under
    friend bool operator==(const Content&, const Content&) = default;
  };
  explicit ChannelBook(env::Path folder) : folder_(std::move(folder)) {}

  /// The book, while nobody else changes it. What must go together with it, such as names in the
  /// catalogue, is changed while this lives.
  class Edit {
   public:
    Content content;
    /// Puts it into the book.
    Result<> save() const;

   private:
    friend ChannelBook;
    Edit(Content all, env::Path path, env::FileLock held)
        : content(std::move(all)), path_(std::move(path)), held_(std::move(held)) {}
    env::Path path_;
    env::FileLock held_;
  };

  /// Empty if nothing was decided yet. @error Corrupt  the file.
  Result<Content> read() const;
  /// Waits some seconds for others. @error Unavailable  it took longer. What read() returns.
  Result<Edit> edit() const;
  /// One edit of the book alone. @error as edit().
  Result<> change(const std::function<void(Content&)>& change) const;
  Result<> set_policy(const std::string& log, ChannelPolicy policy) const;
  Result<> decide(const ledger::RecordId& publication, Decision decision) const;
  /// Held by who takes publications, for as long as that takes: one at a time.
  /// @error AlreadyExists.
  Result<env::FileLock> lock() const;

  const env::Path& folder() const { return folder_; }
  /// The file.
  env::Path path() const { return folder_ / "book.json"; }

 private:
  env::Path folder_;
};

/// The file's text, and back. @error Corrupt.
std::string book_text(const ChannelBook::Content& content);
Result<ChannelBook::Content> parse_book(std::string_view text);

}  // namespace loam::release
