// What the records of a log mean: a pure function of them, the same on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ledger/payload.h"
#include "ledger/record.h"

namespace loam::ledger {

/// How many rotations back a key may still retract. @source docs/formats/log.md, rule 5.
inline constexpr int kPredecessorsMax = 52;

/// What is known of an author.
struct AuthorState {
  std::uint64_t next_seq = 0;
  /// May retract, and nothing else: a key record took its right to write, or it is a recovery key.
  bool ended = false;
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
  /// Keys that this record names for the first time: a recovery key, the author's successor.
  std::vector<std::pair<crypto::PublicKey, AuthorState>> named = {};
  /// A record whose body and salt are to be erased, here or when it comes from another log.
  std::optional<RecordId> erased = {};
};

/// Whether `key` may retract what `author` wrote: it is that key, one of its successors, or its
/// recovery key.
Result<bool> speaks_for(const StateReader& state, const crypto::PublicKey& key,
                        const crypto::PublicKey& author);

/// Which records a log accepts.
struct LogRules {
  NetId net = kPublicNet;
  crypto::Digest log_key_hash{};
};

/// What `record`, whose signature is verified, does to the state.
/// @error InvalidArgument  a record of another net or log, a payload that says nothing.
/// @error AlreadyExists  the sequence number was used; a key that it names is. @error NotFound  the
///        sequence has a gap. @error PermissionDenied  more than a retraction by a key that may do
///        no more; a retraction of what somebody else wrote.
Result<Delta> apply(const StateReader& state, const Record& record, const LogRules& rules);

}  // namespace loam::ledger
