// The vectors that a second implementation made from docs/formats/record.md: every verdict, and
// what is read out of the good ones. tests/formats/make_records.py makes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "codec/json.h"
#include "env/disk.h"
#include "ledger/body.h"
#include "ledger/payload.h"
#include "ledger/record.h"

namespace loam::ledger {
namespace {

const codec::Value& vectors() {
  static const codec::Value all =
      codec::parse_json(env::read_file(env::Path(LOAM_TESTDATA) / "records.json", 1U << 20).value())
          .value();
  return all;
}

const codec::Array& list(std::string_view name) { return *vectors().find(name)->as_array(); }

std::string text(const codec::Value& object, std::string_view name) {
  return *object.find(name)->as_string();
}

/// Hexadecimal, or the rule of a long content.
Bytes content(const codec::Value& value) {
  if (const std::string* hex = value.as_string()) return from_hex(*hex).value();
  Bytes out = from_hex(text(value, "before")).value();
  const Bytes piece = from_hex(text(value, "repeat")).value();
  for (std::int64_t i = 0; i < *value.find("times")->as_int(); ++i)
    out.insert(out.end(), piece.begin(), piece.end());
  const Bytes after = from_hex(text(value, "after")).value();
  out.insert(out.end(), after.begin(), after.end());
  return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view hex) {
  std::array<std::uint8_t, N> out{};
  const Bytes bytes = from_hex(hex).value();
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
  return out;
}

const NetId& net() {
  static const NetId id = fixed<16>(*vectors().find("net")->as_string());
  return id;
}

crypto::SigningKey key_called(std::string_view name) {
  const auto& keys = list("keys");
  const auto found =
      std::ranges::find_if(keys, [&](const auto& key) { return text(key, "name") == name; });
  return crypto::SigningKey::from_seed(fixed<32>(text(*found, "seed")));
}

/// A header from the vectors' terms; what is not there stays empty.
Header header_of(const codec::Value& value) {
  Header header;
  header.kind = parse_kind(text(value, "kind")).value();
  header.net = fixed<16>(text(value, "net"));
  header.author = fixed<32>(text(value, "author"));
  header.seq = static_cast<std::uint64_t>(*value.find("seq")->as_int());
  header.time_s = *value.find("time")->as_int();
  if (value.find("body_commitment")) {
    header.body_commitment = fixed<32>(text(value, "body_commitment"));
    header.body_bucket = static_cast<std::uint8_t>(*value.find("body_bucket")->as_int());
  }
  if (const codec::Value* refs = value.find("refs"))
    for (const codec::Value& id : *refs->as_array())
      header.refs.push_back(parse_record_id(*id.as_string()).value());
  if (value.find("licence")) header.licence = text(value, "licence");
  if (value.find("consent")) header.consent = fixed<32>(text(value, "consent"));
  if (const codec::Value* models = value.find("models"))
    for (const codec::Value& model : *models->as_array())
      header.models.push_back(fixed<32>(*model.as_string()));
  if (const codec::Value* payload = value.find("payload")) header.payload = content(*payload);
  if (const codec::Value* scope = value.find("scope")) {
    const auto has = [&](std::string_view name) {
      return std::ranges::count(*scope->as_array(), codec::Value(name)) > 0;
    };
    header.scope = {.train = has("train"), .eval = has("eval")};
  }
  header.log_key_hash = fixed<32>(text(value, "log_key_hash"));
  return header;
}

ErrorCode code_of(std::string_view fault) {
  if (fault == "size") return ErrorCode::kResourceExhausted;
  if (fault == "version") return ErrorCode::kUnsupported;
  if (fault == "signature") return ErrorCode::kCorrupt;
  EXPECT_TRUE(fault == "form" || fault == "network") << fault;
  return ErrorCode::kInvalidArgument;
}

TEST(RecordVectors, KeysAreThoseOfTheirSeeds) {
  for (const codec::Value& key : list("keys"))
    EXPECT_EQ(to_hex(key_called(text(key, "name")).public_key()), text(key, "public"));
  EXPECT_EQ(net(), kPublicNet);
}

TEST(RecordVectors, EveryGoodRecordIsReadAsMeantAndSignedTheSame) {
  EXPECT_GE(list("good").size(), 12U);
  for (const codec::Value& vector : list("good")) {
    SCOPED_TRACE(text(vector, "shows"));
    const Bytes bytes = content(*vector.find("bytes"));
    const Header meant = header_of(*vector.find("header"));
    const auto record = verify_record(bytes, net());
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->header, meant);
    EXPECT_EQ(to_text(record->id), text(vector, "id"));
    EXPECT_EQ(parse_record_id(text(vector, "id")).value(), record->id);
    const auto made = sign_record(meant, key_called(text(vector, "key")));
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->bytes, bytes);
  }
}

TEST(RecordVectors, BodiesAreThoseThatWereCommittedTo) {
  int seen = 0;
  for (const codec::Value& vector : list("good")) {
    if (vector.find("body") == nullptr) continue;
    SCOPED_TRACE(text(vector, "shows"));
    const Header header = header_of(*vector.find("header"));
    const SaltedBody body{fixed<32>(text(vector, "salt")), content(*vector.find("body"))};
    EXPECT_EQ(commitment(body), header.body_commitment);
    EXPECT_EQ(size_bucket(body.body.size()), header.body_bucket);
    EXPECT_TRUE(parse_conversation(body.body));
    ++seen;
  }
  EXPECT_GE(seen, 4);
}

TEST(RecordVectors, EveryBadRecordIsRefusedForItsFault) {
  EXPECT_GE(list("bad").size(), 25U);
  for (const codec::Value& vector : list("bad")) {
    SCOPED_TRACE(text(vector, "shows"));
    const auto record = verify_record(content(*vector.find("bytes")), net());
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().code, code_of(text(vector, "fault"))) << record.error().message;
  }
}

TEST(RecordVectors, OtherSpellingsAreNoIds) {
  for (const codec::Value& vector : list("ids"))
    EXPECT_FALSE(parse_record_id(text(vector, "text"))) << text(vector, "shows");
}

TEST(RecordVectors, PayloadsHaveOneEncoding) {
  for (const codec::Value& vector : list("payloads")) {
    const std::string kind = text(vector, "kind");
    SCOPED_TRACE(kind + ": " + text(vector, "shows"));
    const Bytes bytes = content(*vector.find("bytes"));
    std::optional<Bytes> again;
    if (kind == "vote") {
      if (const auto vote = decode_vote(bytes)) again = encode_vote(*vote);
    } else if (kind == "retraction") {
      if (const auto reason = decode_retraction(bytes)) again = encode_retraction(*reason);
    } else if (kind == "publication") {
      if (const auto what = decode_publication(bytes)) again = encode_publication(*what);
    } else if (kind == "attestation") {
      if (const auto said = decode_attestation(bytes)) again = encode_attestation(*said);
    } else if (kind == "commitment") {
      if (const auto hash = decode_commitment(bytes)) again = encode_commitment(*hash);
    } else {
      ASSERT_EQ(kind, "key");
      if (const auto change = decode_key_change(bytes)) again = encode_key_change(*change);
    }
    ASSERT_EQ(again.has_value(), *vector.find("valid")->as_bool());
    EXPECT_EQ(again.value_or(bytes), bytes);
  }
}

TEST(RecordVectors, ConversationsHaveOneEncoding) {
  const auto salt = fixed<32>(*vectors().find("salt")->as_string());
  for (const codec::Value& vector : list("bodies")) {
    SCOPED_TRACE(text(vector, "shows"));
    const SaltedBody body{salt, content(*vector.find("bytes"))};
    EXPECT_EQ(to_hex(commitment(body)), text(vector, "commitment"));
    EXPECT_EQ(size_bucket(body.body.size()), *vector.find("bucket")->as_int());
    const auto conversation = parse_conversation(body.body);
    ASSERT_EQ(conversation.has_value(), *vector.find("valid")->as_bool());
    if (!conversation) continue;
    EXPECT_EQ(encode_conversation(*conversation), body.body);
  }
}

}  // namespace
}  // namespace loam::ledger
