// Records for tests: small, valid, by keys that are known.
#pragma once

#include "ledger/body.h"
#include "ledger/payload.h"
#include "ledger/record.h"

namespace loam::ledger::testing {

/// The key whose seed is 32 times `byte`.
inline crypto::SigningKey key_of(std::uint8_t byte) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(byte);
  return crypto::SigningKey::from_seed(seed);
}

inline SaltedBody body_of(std::string_view text, std::uint8_t salt = 7) {
  SaltedBody out;
  out.salt.fill(salt);
  out.body = encode_conversation({.messages = {{"user", std::string(text), Origin::kHuman},
                                               {"assistant", "An answer.", Origin::kModel}},
                                  .model_name = "tiny",
                                  .language = "en"});
  return out;
}

inline Header data_header(const crypto::SigningKey& author, std::uint64_t seq,
                          const SaltedBody& body) {
  Header header;
  header.author = author.public_key();
  header.seq = seq;
  header.time_s = 1'700'000'000 / kHour_s * kHour_s;
  header.body_commitment = commitment(body);
  header.body_bucket = size_bucket(body.body.size());
  header.licence = "CC-BY-4.0";
  header.models = {crypto::sha256(as_bytes("a model"))};
  header.scope = {.train = true, .eval = true};
  header.log_key_hash = crypto::sha256(as_bytes("a log's key"));
  return header;
}

inline Header reference_header(const crypto::SigningKey& author, std::uint64_t seq, Kind kind,
                               const RecordId& target, Bytes payload) {
  Header header;
  header.kind = kind;
  header.author = author.public_key();
  header.seq = seq;
  header.time_s = 1'700'000'000 / kHour_s * kHour_s;
  header.refs = {target};
  header.payload = std::move(payload);
  header.log_key_hash = crypto::sha256(as_bytes("a log's key"));
  return header;
}

}  // namespace loam::ledger::testing
