// Payloads of small kinds: what stands in field 13 of a header, as deterministic CBOR of its own.
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/ed25519.h"
#include "ledger/record_id.h"

namespace loam::ledger {

/// A rating of the record that the header refers to; the latest of an author counts.
enum class Vote : std::int8_t { kDown = -1, kNone = 0, kUp = 1 };
Bytes encode_vote(Vote vote);
/// @error InvalidArgument  not what encode_vote writes.
Result<Vote> decode_vote(ByteView payload);

/// Why a record was withdrawn. The numbers are part of the format.
enum class RetractionReason : std::uint8_t {
  kAuthor = 1,        // the author wishes it
  kPersonalData = 2,  // it says something about somebody
  kIllegal = 3,
  kSuperseded = 4,
};
Bytes encode_retraction(RetractionReason reason);
Result<RetractionReason> decode_retraction(ByteView payload);

/// A change of an author's keys: from now on `successor` writes; without one, nobody does.
struct KeyChange {
  std::optional<crypto::PublicKey> successor = {};
  /// May retract, and nothing else.
  std::optional<crypto::PublicKey> recovery = {};
  friend bool operator==(const KeyChange&, const KeyChange&) = default;
};
Bytes encode_key_change(const KeyChange& change);
Result<KeyChange> decode_key_change(ByteView payload);

}  // namespace loam::ledger
