// Properties of the format over drawn values: what is written reads back, and there is one way to
// write it; apply() says the same in every build.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>

#include "codec/cbor_items.h"
#include "crypto/note.h"
#include "env/disk.h"
#include "env/random.h"
#include "ledger/testing/history.h"
#include "ledger/tiles.h"

namespace loam::ledger {
namespace {

using codec::CborMajor;
using testing::key_of;

// --- drawing ---

rc::Gen<crypto::Digest> digests() {
  return rc::gen::map(rc::gen::arbitrary<std::uint32_t>(),
                      [](std::uint32_t n) { return crypto::sha256(as_bytes(std::to_string(n))); });
}
rc::Gen<RecordId> ids() {
  return rc::gen::map(digests(), [](const crypto::Digest& digest) { return RecordId{digest}; });
}
template <class T>
std::vector<T> list(std::size_t least, std::size_t most, const rc::Gen<T>& of) {
  const auto count = *rc::gen::inRange<std::size_t>(least, most + 1);
  return *rc::gen::container<std::vector<T>>(count, of);
}
/// UTF-8 of every length.
std::string text() {
  std::string out;
  for (const int piece : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5)))
    out += std::array{"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\n"}.at(
        static_cast<std::size_t>(piece));
  return out;
}

/// A header of any kind that check_header() takes, by the key of byte 1.
Header some_header() {
  const auto hour = *rc::gen::inRange<std::int64_t>(0, 253'402'300'799 / kHour_s);
  Header out;
  out.kind = static_cast<Kind>(*rc::gen::inRange(1, 12));
  out.author = key_of(1).public_key();
  out.net = *rc::gen::element(kPublicNet, NetId{});
  out.seq = *rc::gen::element<std::uint64_t>(0, 23, 24, 255, 256, 65'536, INT64_MAX);
  out.time_s = hour * kHour_s;
  out.log_key_hash = *digests();
  const bool has_body = out.kind == Kind::kData || out.kind == Kind::kEdit;
  if (has_body) {
    out.body_commitment = *digests();
    out.body_bucket = *rc::gen::inRange<std::uint8_t>(0, 21);
    out.licence = *rc::gen::element<std::string>("MIT", "CC-BY-4.0", std::string(64, '+'));
    if (*rc::gen::arbitrary<bool>()) out.consent = *digests();
    out.models = list(0, kModelsMax, digests());
    out.scope.train = *rc::gen::arbitrary<bool>();
    out.scope.eval = !out.scope.train || *rc::gen::arbitrary<bool>();
  } else {
    out.payload = *rc::gen::nonEmpty(rc::gen::arbitrary<Bytes>());
  }
  const bool one =
      out.kind == Kind::kEdit || out.kind == Kind::kVote || out.kind == Kind::kRetraction;
  const bool any = out.kind == Kind::kReceipt || out.kind == Kind::kAttestation ||
                   out.kind == Kind::kPublication || out.kind == Kind::kEvidence;
  if (one) out.refs = {*ids()};
  if (any) out.refs = list(0, kRefsMax, ids());
  return out;
}

Conversation some_conversation() {
  Conversation out;
  const auto count = *rc::gen::inRange(1, 6);
  for (int i = 0; i < count; ++i)
    out.messages.push_back({"r" + text(), text(), static_cast<Origin>(*rc::gen::inRange(0, 4))});
  out.model_name = text();
  out.language = *rc::gen::element<std::string>("en", "und", "pt-BR");
  if (*rc::gen::arbitrary<bool>())
    out.masked = *rc::gen::arbitrary<std::uint32_t>();
  else
    out.replay = codec::Object{{"seed", *rc::gen::arbitrary<std::int64_t>()}, {"tokens", Bytes{1}}};
  return out;
}

KeyChange some_change() {
  KeyChange out;
  if (*rc::gen::arbitrary<bool>())
    out.successor = key_of(*rc::gen::inRange<std::uint8_t>(1, 9)).public_key();
  if (*rc::gen::arbitrary<bool>())
    out.recovery = key_of(*rc::gen::inRange<std::uint8_t>(1, 9)).public_key();
  return out;
}

Attestation some_attestation() {
  Attestation out;
  out.verdict = static_cast<Attested>(*rc::gen::inRange(1, 4));
  out.report = *digests();
  if (*rc::gen::arbitrary<bool>()) out.drawn = Attestation::Drawn{*ids(), *digests()};
  return out;
}

// --- other writings of the same ---

std::size_t big_endian(ByteView bytes, std::size_t at, std::size_t size) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < size; ++i) out = out << 8 | bytes[at + i];
  return out;
}

/// Where an item of our own writing lies, and those in it.
struct Item {
  CborMajor major{};
  std::size_t at = 0, head_bytes = 1, end = 0;
  std::uint64_t argument = 0;
};

/// Adds the item at `at` and all in it to `out`. @return where it ends.
std::size_t find_items(ByteView bytes, std::size_t at, std::vector<Item>& out) {
  const unsigned info = bytes[at] & 31U;
  Item item{static_cast<CborMajor>(bytes[at] >> 5), at};
  item.argument = info;
  if (info > 23) {
    item.head_bytes = 1 + (std::size_t{1} << (info - 24));
    item.argument = big_endian(bytes, at + 1, item.head_bytes - 1);
  }
  const std::size_t place = out.size();
  out.push_back(item);
  std::size_t end = at + item.head_bytes;
  if (item.major == CborMajor::kBytes || item.major == CborMajor::kText) end += item.argument;
  const bool map = item.major == CborMajor::kMap;
  if (map || item.major == CborMajor::kArray)
    for (std::uint64_t i = 0; i < item.argument * (map ? 2 : 1); ++i)
      end = find_items(bytes, end, out);
  out[place].end = end;
  return end;
}

Bytes with(ByteView bytes, std::size_t at, std::size_t end, const Bytes& instead) {
  Bytes out(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  out.insert(out.end(), instead.begin(), instead.end());
  out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.end());
  return out;
}

/// A head whose argument takes 2^log2 bytes.
Bytes long_head(const Item& item, unsigned log2) {
  Bytes out = {static_cast<std::uint8_t>(std::to_underlying(item.major) * 32U + 24 + log2)};
  for (int i = (1 << log2) - 1; i >= 0; --i)
    out.push_back(static_cast<std::uint8_t>(item.argument >> (8 * i)));
  return out;
}

/// Every way to write one item of `bytes` that a lax reader of CBOR would take for the same.
std::vector<Bytes> other_writings(ByteView bytes) {
  std::vector<Item> items;
  RC_ASSERT(find_items(bytes, 0, items) == bytes.size());
  std::vector<Bytes> out;
  for (const Item& item : items) {
    const auto put = [&](const Bytes& head) {
      out.push_back(with(bytes, item.at, item.at + item.head_bytes, head));
    };
    if (item.major == CborMajor::kSimple) continue;
    for (unsigned log2 = 0; log2 < 4; ++log2)
      if (1 + (std::size_t{1} << log2) > item.head_bytes) put(long_head(item, log2));
    out.push_back(with(bytes, item.at, item.at, {0xC1}));              // a tag
    out.push_back(with(bytes, item.at, item.at, {0xD9, 0xD9, 0xF7}));  // "this is CBOR"
    if (item.major == CborMajor::kUnsigned || item.major == CborMajor::kNegative) {
      put({0xFA, 0x3F, 0x80, 0, 0});  // a float
      put({0xFB, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0});
      continue;
    }
    const auto lead = static_cast<std::uint8_t>(std::to_underlying(item.major) << 5);
    Bytes indefinite(bytes.begin() + static_cast<std::ptrdiff_t>(item.at),
                     bytes.begin() + static_cast<std::ptrdiff_t>(item.end));
    const bool content = item.major == CborMajor::kBytes || item.major == CborMajor::kText;
    if (!content)
      indefinite.erase(indefinite.begin(),
                       indefinite.begin() + static_cast<std::ptrdiff_t>(item.head_bytes));
    indefinite.insert(indefinite.begin(), lead | 31U);
    indefinite.push_back(0xFF);
    out.push_back(with(bytes, item.at, item.end, indefinite));
  }
  return out;
}

/// What is read of `encoded` is `value`; every other writing of it, and whatever else is near, is
/// refused or read as what it says and written the same again.
template <class T, class Encode, class Decode>
void check_one_encoding(const T& value, Encode encode, Decode decode) {
  const Bytes encoded = encode(value);
  RC_ASSERT(decode(encoded).value() == value);
  for (const Bytes& other : other_writings(encoded)) RC_ASSERT(!decode(other).has_value());
  Bytes longer = encoded;
  longer.push_back(0);
  RC_ASSERT(!decode(longer).has_value());
  for (int i = 0; i < 20; ++i) {
    Bytes near = encoded;
    near[*rc::gen::inRange<std::size_t>(0, near.size())] ^= *rc::gen::inRange<std::uint8_t>(1, 255);
    const auto read = decode(near);
    if (read) RC_ASSERT(std::ranges::equal(encode(*read), near));
  }
}

RC_GTEST_PROP(OneEncoding, OfAHeader, ()) {
  const Header header = some_header();
  check_one_encoding(header, encode_header, [](ByteView bytes) { return decode_header(bytes); });
}

RC_GTEST_PROP(OneEncoding, OfARecord, ()) {
  const Header header = some_header();
  const Record record = sign_record(header, key_of(1)).value();
  const Record read = verify_record(record.bytes, header.net).value();
  RC_ASSERT(read.header == header);
  RC_ASSERT(read.id == record.id);
  for (const Bytes& other : other_writings(record.bytes)) RC_ASSERT(!decode_record(other));
  NetId elsewhere = header.net;
  elsewhere[0] ^= 1U;
  RC_ASSERT(!verify_record(record.bytes, elsewhere));
}

RC_GTEST_PROP(OneEncoding, OfABody, ()) {
  check_one_encoding(some_conversation(), encode_conversation,
                     [](ByteView bytes) { return parse_conversation(bytes); });
}

RC_GTEST_PROP(OneEncoding, OfAPayload, ()) {
  check_one_encoding(static_cast<Vote>(*rc::gen::inRange(-1, 2)), encode_vote,
                     [](ByteView bytes) { return decode_vote(bytes); });
  check_one_encoding(static_cast<RetractionReason>(*rc::gen::inRange(1, 5)), encode_retraction,
                     [](ByteView bytes) { return decode_retraction(bytes); });
  check_one_encoding(some_change(), encode_key_change,
                     [](ByteView bytes) { return decode_key_change(bytes); });
  check_one_encoding(some_attestation(), encode_attestation,
                     [](ByteView bytes) { return decode_attestation(bytes); });
  check_one_encoding(*digests(), encode_commitment,
                     [](ByteView bytes) { return decode_commitment(bytes); });
}

RC_GTEST_PROP(OneEncoding, OfABundle, ()) {
  const auto entries = list(0, kTileWidth, rc::gen::arbitrary<Bytes>());
  const Bytes encoded = encode_bundle(entries);
  RC_ASSERT(decode_bundle(encoded).value() == entries);
  RC_PRE(!encoded.empty());
  Bytes near = encoded;
  near[*rc::gen::inRange<std::size_t>(0, near.size())] ^= *rc::gen::inRange<std::uint8_t>(1, 255);
  const auto read = decode_bundle(near);
  if (read) RC_ASSERT(encode_bundle(*read) == near);
}

RC_GTEST_PROP(OneEncoding, OfACheckpoint, ()) {
  const crypto::PublicKey key = key_of(1).public_key();
  const crypto::Checkpoint checkpoint{.origin = log_origin(kPublicNet, key),
                                      .size = *rc::gen::arbitrary<std::uint64_t>(),
                                      .root = *digests()};
  const auto verifier = crypto::VerifierKey::of(checkpoint.origin, key);
  const std::string note = crypto::sign_note(checkpoint.text(), checkpoint.origin, key_of(1));
  RC_ASSERT(crypto::parse_checkpoint(crypto::open_note(note, verifier).value()).value() ==
            checkpoint);
  std::string near = checkpoint.text();
  char& byte = near[*rc::gen::inRange<std::size_t>(0, near.size())];
  byte = static_cast<char>(byte ^ *rc::gen::inRange(1, 127));
  const auto read = crypto::parse_checkpoint(near);
  if (read) RC_ASSERT(read->text() == near);
}

RC_GTEST_PROP(OneEncoding, OfARecordsName, ()) {
  const RecordId id = *ids();
  RC_ASSERT(parse_record_id(to_text(id)).value() == id);
}

// --- apply() ---

std::string history(Storage& storage) {
  testing::History drawn(storage, testing::Numbers(1));
  drawn.add(testing::kGoldenRecords);
  EXPECT_GT(drawn.accepted(), testing::kGoldenRecords / 3U);
  return crypto::digest_hex(drawn.digest());
}

TEST(Apply, SaysTheSameInEveryBuildAndOnBothTwinsOfStorage) {
  EXPECT_EQ(history(*make_memory_storage()), testing::kGoldenHistory);
  const env::Path folder = std::filesystem::temp_directory_path() / env::random_id("loam-apply-");
  ASSERT_TRUE(env::make_folder(folder));
  EXPECT_EQ(history(*open_sqlite_storage(folder / "ledger.db").value()), testing::kGoldenHistory);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace loam::ledger
