// Any bytes as a record, a header, a body and a payload: refused, or exactly the bytes that we
// write for what was understood. A header that is understood is also signed, and must verify.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "ledger/body.h"
#include "ledger/payload.h"
#include "ledger/record.h"

namespace {

using loam::ByteView;
using loam::ErrorCode;
namespace crypto = loam::crypto;
namespace ledger = loam::ledger;

template <class T, class Encode>
void check(const loam::Result<T>& decoded, ByteView bytes, Encode encode) {
  if (!decoded) {
    LOAM_CHECK(!decoded.error().message.empty());
    return;
  }
  LOAM_CHECK(std::ranges::equal(encode(*decoded), bytes));
}

const crypto::SigningKey& signing_key() {
  static const crypto::SigningKey key = crypto::SigningKey::from_seed({1, 2, 3});
  return key;
}

void check_record(ByteView bytes) {
  const auto record = ledger::verify_record(bytes, ledger::kPublicNet);
  const auto unverified = ledger::decode_record(bytes);
  LOAM_CHECK(!record || unverified);  // verifying asks for more
  if (!unverified) return;
  LOAM_CHECK(std::ranges::equal(unverified->bytes, bytes));
  LOAM_CHECK(ledger::parse_record_id(ledger::to_text(unverified->id)).value() == unverified->id);
}

void check_header(ByteView bytes) {
  auto header = ledger::decode_header(bytes);
  check(header, bytes, ledger::encode_header);
  if (!header) return;
  header->author = signing_key().public_key();
  const auto record = ledger::sign_record(*header, signing_key());
  if (!record) {
    LOAM_CHECK(record.error().code == ErrorCode::kResourceExhausted);
    return;
  }
  LOAM_CHECK(ledger::verify_record(record->bytes, header->net).value().header == *header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  check_record(bytes);
  check_header(bytes);
  check(ledger::parse_conversation(bytes), bytes, ledger::encode_conversation);
  check(ledger::decode_vote(bytes), bytes, ledger::encode_vote);
  check(ledger::decode_retraction(bytes), bytes, ledger::encode_retraction);
  check(ledger::decode_key_change(bytes), bytes, ledger::encode_key_change);
  check(ledger::decode_attestation(bytes), bytes, ledger::encode_attestation);
  check(ledger::decode_commitment(bytes), bytes, ledger::encode_commitment);
  check(ledger::parse_record_id(loam::as_text(bytes)), bytes, [](const ledger::RecordId& id) {
    const std::string text = ledger::to_text(id);
    return loam::Bytes(text.begin(), text.end());
  });
  return 0;
}
