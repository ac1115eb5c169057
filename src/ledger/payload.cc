#include "ledger/payload.h"

#include <algorithm>
#include <utility>

#include "codec/cbor_items.h"

namespace loam::ledger {
namespace {

using codec::CborReader;
using codec::CborWriter;

/// {1: number}
Bytes encode_number(std::int64_t number) {
  return CborWriter().map(1).integer(1).integer(number).take();
}

Result<std::int64_t> decode_number(ByteView payload) {
  CborReader in(payload);
  if (LOAM_TRY(in.map()) != 1 || LOAM_TRY(in.integer()) != 1)
    return in.refuse("not a payload of {1: number}");
  const std::int64_t number = LOAM_TRY(in.integer());
  LOAM_TRY(in.end());
  return number;
}

constexpr std::int64_t kSuccessor = 1, kRecovery = 2;

}  // namespace

Bytes encode_vote(Vote vote) { return encode_number(std::to_underlying(vote)); }

Result<Vote> decode_vote(ByteView payload) {
  const std::int64_t number = LOAM_TRY(decode_number(payload));
  if (number < -1 || number > 1)
    return CborReader(payload).refuse("a vote that is none of -1, 0, 1");
  return static_cast<Vote>(number);
}

Bytes encode_retraction(RetractionReason reason) {
  return encode_number(std::to_underlying(reason));
}

Result<RetractionReason> decode_retraction(ByteView payload) {
  const std::int64_t number = LOAM_TRY(decode_number(payload));
  if (number < 1 || number > 4)
    return CborReader(payload).refuse("an unknown reason of a retraction");
  return static_cast<RetractionReason>(number);
}

Bytes encode_key_change(const KeyChange& change) {
  CborWriter out;
  out.map((change.successor ? 1U : 0U) + (change.recovery ? 1U : 0U));
  if (change.successor) out.integer(kSuccessor).bytes(*change.successor);
  if (change.recovery) out.integer(kRecovery).bytes(*change.recovery);
  return out.take();
}

Result<KeyChange> decode_key_change(ByteView payload) {
  CborReader in(payload);
  KeyChange out;
  const std::uint64_t fields = LOAM_TRY(in.map());
  std::int64_t last = 0;
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::int64_t field = LOAM_TRY(in.integer());
    if (field <= last || field > kRecovery) return in.refuse("an unknown or unsorted field");
    last = field;
    const ByteView bytes = LOAM_TRY(in.bytes());
    crypto::PublicKey key{};
    if (bytes.size() != key.size()) return in.refuse("a key that is not of 32 bytes");
    std::ranges::copy(bytes, key.begin());
    if (!crypto::is_valid_public_key(key)) return in.refuse("bytes that are no key");
    (field == kSuccessor ? out.successor : out.recovery) = key;
  }
  LOAM_TRY(in.end());
  return out;
}

}  // namespace loam::ledger
