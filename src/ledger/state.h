// What the records of a log mean: a pure function of them, the same on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ledger/payload.h"
#include "ledger/record.h"

namespace loam::ledger {

/// What is known of an author.
struct AuthorState {
  std::uint64_t next_seq = 0;
  bool ended = false;  // a key record took its right to write
  std::optional<crypto::PublicKey> recovery = {};
  /// Whose successor this key is: it may retract what that key wrote.
  std::optional<crypto::PublicKey> predecessor = {};
  friend bool operator==(const AuthorState&, const AuthorState&) = default;
};

/// What is known of a record, apart from its bytes.
struct RecordState {
  Kind kind = Kind::kData;
  crypto::PublicKey author{};
  std::vector<RecordId> refs = {};
  bool retracted = false;
  friend bool operator==(const RecordState&, const RecordState&) = default;
};

/// The state before a record. Deterministic, without side effects.
class StateReader {
 public:
  virtual ~StateReader() = default;
  /// Empty for one who wrote nothing yet.
  virtual Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const = 0;
  virtual Result<std::optional<RecordState>> record(const RecordId& id) const = 0;
};

/// What a record changes. The record itself is added besides.
struct Delta {
  AuthorState author;  // of the record's author, afterwards
  /// The key that writes from now on in place of the author's, and its state.
  std::optional<std::pair<crypto::PublicKey, AuthorState>> successor = {};
  /// A record whose body and salt are to be erased, here or when it comes from another log.
  std::optional<RecordId> erased = {};
};

/// Which records a log accepts.
struct LogRules {
  NetId net = kPublicNet;
  crypto::Digest log_key_hash{};
};

/// What `record`, whose signature is verified, does to the state.
/// @error InvalidArgument  a record of another net or log, a payload that says nothing.
/// @error AlreadyExists  the sequence number was used. @error PermissionDenied  an ended key; a
///        retraction of what somebody else wrote. @error NotFound  the sequence has a gap.
Result<Delta> apply(const StateReader& state, const Record& record, const LogRules& rules);

}  // namespace loam::ledger
