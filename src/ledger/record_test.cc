#include "ledger/record.h"

#include <gtest/gtest.h>

#include "codec/cbor_items.h"
#include "ledger/body.h"
#include "ledger/payload.h"
#include "ledger/testing/make_record.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::data_header;
using testing::key_of;

Record sample() {
  const auto key = key_of(1);
  return *sign_record(data_header(key, 5, body_of("Why?")), key);
}

/// The record with its header's bytes replaced, signed as it ought to be.
Bytes with_header(const Bytes& header) {
  const auto key = key_of(1);
  codec::CborWriter aad, signed_part, out;
  Bytes context(std::string_view("loam.rec.v1").begin(), std::string_view("loam.rec.v1").end());
  context.insert(context.end(), kPublicNet.begin(), kPublicNet.end());
  const Bytes protected_header = {0xA1, 0x01, 0x32};
  signed_part.array(4).text("Signature1").bytes(protected_header).bytes(context).bytes(header);
  out.array(4).bytes(protected_header).map(0).bytes(header).bytes(key.sign(signed_part.out()));
  return out.take();
}

TEST(Record, ReadsBackWhatWasSigned) {
  const Record record = sample();
  const auto again = verify_record(record.bytes, kPublicNet);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->header, record.header);
  EXPECT_EQ(again->id, record.id);
  EXPECT_LE(record.bytes.size(), 450U);  // the target of ledger reference section 7.1
}

TEST(Record, EveryKindReadsBack) {
  const auto key = key_of(1);
  for (const std::string_view name :
       {"data", "edit", "vote", "receipt", "attestation", "publication", "key", "node",
        "retraction", "checkpoint", "evidence"}) {
    const Kind kind = *parse_kind(name);
    Header header = data_header(key, 0, body_of("x"));
    header.kind = kind;
    const bool has_body = kind == Kind::kData || kind == Kind::kEdit;
    if (!has_body) {
      header = testing::reference_header(key, 0, kind, {}, {0xA0});
      const bool refers = kind == Kind::kVote || kind == Kind::kRetraction;
      if (!refers) header.refs.clear();
    } else if (kind == Kind::kEdit) {
      header.refs = {RecordId{}};
    }
    const auto record = sign_record(header, key);
    ASSERT_TRUE(record) << name << ": " << record.error().message;
    EXPECT_EQ(verify_record(record->bytes, kPublicNet)->header, header) << name;
    EXPECT_EQ(kind_name(kind), name);
  }
}

TEST(Record, AnyChangedByteIsRefused) {
  const Record record = sample();
  for (std::size_t i = 0; i < record.bytes.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x20U, 0x80U}) {
      Bytes changed = record.bytes;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ flip);
      EXPECT_FALSE(verify_record(changed, kPublicNet)) << "byte " << i;
    }
  }
  for (std::size_t length = 0; length < record.bytes.size(); ++length)
    EXPECT_FALSE(verify_record(ByteView(record.bytes).first(length), kPublicNet));
  Bytes longer = record.bytes;
  longer.push_back(0);
  EXPECT_FALSE(verify_record(longer, kPublicNet));
}

TEST(Record, AnotherNetworkIsRefused) {
  NetId other = kPublicNet;
  other[0] ^= 1;
  EXPECT_EQ(verify_record(sample().bytes, other).error().code, ErrorCode::kInvalidArgument);
}

TEST(Record, ARecordThatIsTooLargeIsRefusedUnread) {
  EXPECT_EQ(decode_record(Bytes(kRecordBytesMax + 1)).error().code, ErrorCode::kResourceExhausted);
}

TEST(Record, OnlyTheOneEncodingOfAHeaderIsRead) {
  const Bytes good = encode_header(sample().header);
  ASSERT_TRUE(verify_record(with_header(good), kPublicNet));
  const auto refused = [](const Bytes& header) {
    return !verify_record(with_header(header), kPublicNet).has_value();
  };
  // {1: 1, 2: 1, ...}: the map's head is byte 0, version key and value are bytes 1 and 2.
  Bytes long_head = good;
  long_head[2] = 0x18;  // 1 in two bytes
  long_head.insert(long_head.begin() + 3, 0x01);
  EXPECT_TRUE(refused(long_head));
  Bytes unsorted = good;
  std::swap(unsorted[1], unsorted[3]);  // keys 2, 1
  EXPECT_TRUE(refused(unsorted));
  Bytes twice = good;
  twice[3] = 0x01;  // key 1 again
  EXPECT_TRUE(refused(twice));
  Bytes unknown = good;
  ++unknown[0];  // one member more: 17: 0
  unknown.push_back(0x11);
  unknown.push_back(0x00);
  EXPECT_TRUE(refused(unknown));
  Bytes is_float = good;
  is_float[2] = 0xF9;  // 1 as a half-precision float
  is_float.insert(is_float.begin() + 3, {0x3C, 0x00});
  EXPECT_TRUE(refused(is_float));
  Bytes tagged = good;
  tagged.insert(tagged.begin(), 0xC0);
  EXPECT_TRUE(refused(tagged));
  Bytes indefinite = good;
  indefinite[0] = 0xBF;
  indefinite.push_back(0xFF);
  EXPECT_TRUE(refused(indefinite));
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({0xA0}));
}

TEST(Record, FieldsThatDoNotBelongTogetherAreRefused) {
  const auto key = key_of(1);
  const Header good = data_header(key, 0, body_of("x"));
  const auto refused = [&](auto change) {
    Header header = good;
    change(header);
    return !sign_record(header, key) && !decode_header(encode_header(header));
  };
  EXPECT_TRUE(refused([](Header& h) { h.time_s += 1; }));
  EXPECT_TRUE(refused([](Header& h) { h.time_s = -kHour_s; }));
  EXPECT_TRUE(refused([](Header& h) { h.licence.clear(); }));
  EXPECT_TRUE(refused([](Header& h) { h.licence = "CC BY"; }));
  EXPECT_TRUE(refused([](Header& h) { h.licence = std::string(65, 'a'); }));
  EXPECT_TRUE(refused([](Header& h) { h.scope = {}; }));
  EXPECT_TRUE(refused([](Header& h) { h.body_commitment.reset(); }));
  EXPECT_TRUE(refused([](Header& h) { h.payload = {0xA0}; }));
  EXPECT_TRUE(refused([](Header& h) { h.refs = {RecordId{}}; }));
  EXPECT_TRUE(refused([](Header& h) { h.kind = Kind::kVote; }));
  EXPECT_TRUE(refused([](Header& h) { h.body_bucket = 21; }));
  EXPECT_TRUE(refused([](Header& h) { h.models.resize(kModelsMax + 1); }));
}

TEST(Record, OnlyTheAuthorsKeySigns) {
  EXPECT_FALSE(sign_record(data_header(key_of(1), 0, body_of("x")), key_of(2)));
}

TEST(RecordIdText, ReadsBackAndHasOneSpelling) {
  const RecordId id = sample().id;
  const std::string text = to_text(id);
  EXPECT_EQ(text.size(), 57U);
  EXPECT_EQ(*parse_record_id(text), id);
  std::string other = text;
  other.back() = other.back() == 'b' ? 'c' : 'b';  // bits beyond the digest
  EXPECT_FALSE(parse_record_id(other));
  for (const std::string_view bad : {"", "loam1", "loam2aaaa", "LOAM1AAAA"})
    EXPECT_FALSE(parse_record_id(bad));
  EXPECT_FALSE(parse_record_id(text + "a"));
}

TEST(RecordIdText, ThePublicNetIsAHashOfItsName) {
  const crypto::Digest whole = crypto::sha256(as_bytes("loam.net.public"));
  EXPECT_TRUE(std::equal(kPublicNet.begin(), kPublicNet.end(), whole.begin()));
}

TEST(Body, ReadsBackAndItsCommitmentNeedsTheSalt) {
  const SaltedBody body = body_of("Why is the sky blue?");
  const auto read = parse_conversation(body.body);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(encode_conversation(*read), body.body);
  EXPECT_EQ(read->messages[0].origin, Origin::kHuman);
  SaltedBody other = body;
  other.salt[0] ^= 1;
  EXPECT_NE(commitment(other), commitment(body));
}

TEST(Body, RefusesWhatItDoesNotKnow) {
  const Conversation good{
      .messages = {{"user", "x", Origin::kHuman}}, .model_name = "m", .language = "en"};
  ASSERT_TRUE(parse_conversation(encode_conversation(good)));
  Conversation empty = good;
  empty.messages.clear();
  EXPECT_FALSE(parse_conversation(encode_conversation(empty)));
  Conversation with_float = good;
  with_float.replay = codec::Object{{"temperature", 0.5}};
  EXPECT_FALSE(parse_conversation(encode_conversation(with_float)));
  Conversation masked = good;
  masked.masked = 1;
  masked.replay = codec::Object{{"seed", 1}};
  EXPECT_FALSE(parse_conversation(encode_conversation(masked)));
  EXPECT_FALSE(parse_conversation(Bytes{0xA0}));
  EXPECT_FALSE(parse_conversation({}));
}

TEST(Body, ABucketTellsASizeOnlyRoughly) {
  EXPECT_EQ(size_bucket(0), 0);
  EXPECT_EQ(size_bucket(1), 0);
  EXPECT_EQ(size_bucket(2), 1);
  EXPECT_EQ(size_bucket(1024), 10);
  EXPECT_EQ(size_bucket(1025), 11);
  EXPECT_EQ(size_bucket(kBodyBytesMax), 20);
}

TEST(Payload, ReadsBackAndRefusesTheRest) {
  for (const Vote vote : {Vote::kDown, Vote::kNone, Vote::kUp})
    EXPECT_EQ(*decode_vote(encode_vote(vote)), vote);
  EXPECT_EQ(*decode_retraction(encode_retraction(RetractionReason::kIllegal)),
            RetractionReason::kIllegal);
  const KeyChange change{key_of(3).public_key(), key_of(4).public_key()};
  EXPECT_EQ(*decode_key_change(encode_key_change(change)), change);
  EXPECT_EQ(*decode_key_change(encode_key_change({})), KeyChange{});
  EXPECT_FALSE(decode_vote(Bytes{0xA1, 0x01, 0x02}));
  EXPECT_FALSE(decode_vote(Bytes{0xA1, 0x01, 0x18, 0x01}));
  EXPECT_FALSE(decode_retraction(Bytes{0xA1, 0x01, 0x00}));
  EXPECT_FALSE(decode_key_change(Bytes{0xA1, 0x01, 0x41, 0x00}));
  EXPECT_FALSE(decode_vote({}));
}

TEST(Payload, ACommitmentAndWhatIsAttestedWithItsNonceAreToldApart) {
  const Nonce nonce = {1, 2, 3};
  const crypto::Digest hash = nonce_hash(nonce);
  EXPECT_NE(hash, crypto::sha256(nonce));
  const ByteView purpose = as_bytes("loam.nonce.v1");
  Bytes named(purpose.begin(), purpose.end());
  named.insert(named.end(), nonce.begin(), nonce.end());
  EXPECT_EQ(hash, crypto::sha256(named));
  Attestation attestation{Attested::kFail, crypto::sha256(as_bytes("report"))};
  for (const bool drawn : {false, true}) {
    if (drawn) attestation.drawn = Attestation::Drawn{sample().id, nonce};
    const Bytes payload = encode_attestation(attestation);
    const auto read = decode_attestation(payload);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, attestation);
    EXPECT_FALSE(decode_commitment(payload));
    EXPECT_FALSE(decode_attestation(ByteView(payload).first(payload.size() - 1)));
  }
  const Bytes payload = encode_commitment(hash);
  EXPECT_EQ(decode_commitment(payload).value(), hash);
  EXPECT_FALSE(decode_attestation(payload));
  EXPECT_FALSE(decode_commitment(ByteView(payload).first(payload.size() - 1)));
  EXPECT_FALSE(decode_commitment({}));
}

}  // namespace
}  // namespace loam::ledger
