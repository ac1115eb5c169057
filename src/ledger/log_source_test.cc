// Reading a log from elsewhere: what a source gives is bounded and parsed before it is used.
#include "ledger/log_source.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::ledger {
namespace {

/// A source whose files are a map.
class MapSource : public LogSource {
 public:
  std::map<std::string, std::string, std::less<>> files;
  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    const auto found = files.find(path);
    if (found == files.end()) return fail(ErrorCode::kNotFound, "not there");
    if (found->second.size() > bytes_max) return fail(ErrorCode::kResourceExhausted, "too large");
    return found->second;
  }
  Result<SaltedBody> body(const RecordId&) override { return fail(ErrorCode::kNotFound, "none"); }
  std::string name() const override { return "a map"; }
};

std::string bundle_of(std::uint64_t entries) {
  const std::vector<Bytes> all(entries, Bytes{1, 2, 3});
  return std::string(as_text(encode_bundle(all)));
}

TEST(LogSource, ABodyReadsBackAsItIsServed) {
  SaltedBody body;
  body.salt.fill(7);
  body.body = {1, 2, 3};
  const auto parsed = parse_body_json(body_json(body));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->salt, body.salt);
  EXPECT_EQ(parsed->body, body.body);
}

TEST(LogSource, ABodyOfAnotherShapeIsRefused) {
  SaltedBody body;
  const std::string good = body_json(body);
  const std::string salt = to_base64(body.salt);
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), good + "x",
        format(R"({{"salt":"{}"}})", salt), format(R"({{"salt":"{}","body":1}})", salt),
        format(R"({{"salt":"AAAA","body":""}})"), format(R"({{"salt":"{}","body":"AAA"}})", salt),
        format(R"({{"salt":"{}","body":"","more":1}})", salt)})
    EXPECT_EQ(parse_body_json(bad).error().code, ErrorCode::kCorrupt) << bad;
}

TEST(LogSource, TheFullBundleStandsInForAPartThatIsGone) {
  MapSource source;
  source.files["tile/entries/000"] = bundle_of(256);
  const auto entries = read_bundle(source, 0, 5);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->size(), 5U);
}

TEST(LogSource, ABundleThatHoldsLessThanItsNameSaysIsNamed) {
  MapSource source;
  source.files["tile/entries/000.p/5"] = bundle_of(4);
  const auto entries = read_bundle(source, 0, 5);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(entries.error().message.find("tile/entries/000.p/5"), std::string::npos);
}

TEST(LogSource, ACheckpointCountsOnlyUnderTheKeyThatWasGiven) {
  const auto key = crypto::SigningKey::generate();
  const auto other = crypto::SigningKey::generate();
  const std::string name = log_origin(kPublicNet, key.public_key());
  const auto verifier = crypto::VerifierKey::of(name, key.public_key());
  crypto::Checkpoint checkpoint{.origin = name};
  MapSource source;
  source.files["checkpoint"] = crypto::sign_note(checkpoint.text(), name, key);
  EXPECT_TRUE(read_checkpoint(source, verifier));
  source.files["checkpoint"] = crypto::sign_note(checkpoint.text(), name, other);
  EXPECT_EQ(read_checkpoint(source, verifier).error().code, ErrorCode::kCorrupt);
  checkpoint.origin = "another";
  source.files["checkpoint"] = crypto::sign_note(checkpoint.text(), name, key);
  EXPECT_EQ(read_checkpoint(source, verifier).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace loam::ledger
