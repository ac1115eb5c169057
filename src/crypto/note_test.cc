#include "crypto/note.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "crypto/testing/test_vectors.h"

namespace loam::crypto {
namespace {

using testing::bytes_of;
using testing::read_vectors;
using testing::Vector;

constexpr std::string_view kName = "example.com/log";
const std::string kBody = "example.com/log\n7\nt2hVMLOScJ0zc0ZpXYxbpUh/DEhxNmdEHSe9eGbMlQo=\n";

SigningKey some_key() { return SigningKey::from_seed({1, 2, 3}); }
VerifierKey some_verifier() { return VerifierKey::of(std::string(kName), some_key().public_key()); }

ErrorCode code_of(std::string_view verdict) {
  return verdict == "malformed" ? ErrorCode::kInvalidArgument : ErrorCode::kCorrupt;
}

// What go's reference implementation of signed notes made, and what it says of bad ones.
TEST(SignedNote, HasTheVerdictOfTheReferenceOrAStricterOne) {
  for (Vector& vector : read_vectors("notes.json", "notes")) {
    SCOPED_TRACE(vector["shows"]);
    const VerifierKey key = parse_verifier_key(vector["key"]).value();
    const Result<std::string> body = open_note(vector["note"], key);
    EXPECT_EQ(body.has_value(), vector["loam"] == "opens");
    if (body)
      EXPECT_EQ(*body, vector["body"]);
    else
      EXPECT_EQ(body.error().code, code_of(vector["loam"]));
    EXPECT_TRUE(vector["go"] == "opens" || vector["loam"] != "opens");
  }
}

TEST(SignedNote, IsByteForByteWhatTheReferenceSigns) {
  for (Vector& vector : read_vectors("notes.json", "signed")) {
    const SigningKey key = SigningKey::from_seed(bytes_of<32>(vector["seed"]));
    EXPECT_EQ(VerifierKey::of(vector["name"], key.public_key()).text(), vector["key"]);
    EXPECT_EQ(sign_note(vector["body"], vector["name"], key), vector["note"]);
    EXPECT_EQ(open_note(vector["note"], parse_verifier_key(vector["key"]).value()).value(),
              vector["body"]);
  }
}

TEST(VerifierKey, HasTheVerdictOfTheReferenceOrAStricterOne) {
  for (Vector& vector : read_vectors("notes.json", "keys")) {
    SCOPED_TRACE(vector["shows"]);
    const Result<VerifierKey> key = parse_verifier_key(vector["text"]);
    EXPECT_EQ(key.has_value(), vector["loam"] == "true");
    if (key)
      EXPECT_EQ(key->text(), vector["text"]);
    else
      EXPECT_EQ(key.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(vector["go"] == "true" || vector["loam"] != "true");
  }
}

TEST(VerifierKey, NoPartOfItsTextIsFree) {
  const std::string text = some_verifier().text();
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string bad = text;
    bad[at] = bad[at] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(parse_verifier_key(bad).has_value()) << bad;
    EXPECT_FALSE(parse_verifier_key(text.substr(0, at)).has_value()) << at;
    EXPECT_FALSE(parse_verifier_key(text.substr(at + 1)).has_value()) << at;
  }
}

TEST(KeyName, HasNoSpaceOfAnyAlphabet) {
  EXPECT_TRUE(is_key_name("loam/00ff/語"));
  EXPECT_TRUE(is_key_name("a\xE2\x80\x8B"));  // zero width: no white space in Unicode's sense
  for (const std::string_view bad : {"", "a b", "a+b", "a\nb", "a\tb", "a\xC2\xA0", "\xE3\x80\x80",
                                     "a\xE2\x80\xA8", "a\xC2\x85", "a\xFF", "\xE2\x80"})
    EXPECT_FALSE(is_key_name(bad)) << bad;
}

TEST(SignedNote, OpensForTheKeyThatSignedOnly) {
  const std::string note = sign_note(kBody, kName, some_key());
  EXPECT_EQ(open_note(note, some_verifier()).value(), kBody);
  const VerifierKey other =
      VerifierKey::of(std::string(kName), SigningKey::from_seed({4}).public_key());
  EXPECT_EQ(open_note(note, other).error().code, ErrorCode::kCorrupt);
  VerifierKey forged = other;  // our hash with another key, as an attacker can make one
  forged.hash = some_verifier().hash;
  EXPECT_EQ(open_note(note, forged).error().code, ErrorCode::kCorrupt);
}

TEST(SignedNote, NoByteOfItIsFree) {
  const std::string note = sign_note(kBody, kName, some_key());
  for (std::size_t at = 0; at < note.size(); ++at) {
    for (const int change : {0x01, 0x02, 0x10, 0x20, 0x80}) {
      std::string bad = note;
      bad[at] = static_cast<char>(bad[at] ^ change);
      EXPECT_FALSE(open_note(bad, some_verifier()).has_value()) << at << " " << change;
    }
    EXPECT_FALSE(open_note(note.substr(0, at), some_verifier()).has_value()) << at;
  }
}

TEST(SignedNote, IsUtf8WithoutControlCharacters) {
  const std::string note = sign_note(kBody, kName, some_key());
  for (const std::string_view bad :
       {"\r\n", "\t", "\x01", "\x1F", "\xFF", "\xC0\x80", "\xED\xA0\x80", "\xE2\x80"}) {
    const Result<std::string> body = open_note(std::string(bad) + note, some_verifier());
    EXPECT_EQ(body.error().code, ErrorCode::kInvalidArgument);
  }
  const std::string with_nul = std::string(1, '\0') + note;
  EXPECT_EQ(open_note(with_nul, some_verifier()).error().code, ErrorCode::kInvalidArgument);
}

TEST(SignedNote, IsAtMostOneMebibyte) {
  constexpr std::size_t kRest = 1 + 4 + kName.size() + 1 + 92 + 1;  // all but the body
  const std::string body = std::string((1U << 20) - kRest - 1, 'a') + "\n";
  std::string note = sign_note(body, kName, some_key());
  EXPECT_EQ(note.size(), 1U << 20);
  EXPECT_EQ(open_note(note, some_verifier()).value(), body);
  note.insert(0, "a");
  EXPECT_EQ(open_note(note, some_verifier()).error().code, ErrorCode::kInvalidArgument);
}

TEST(Checkpoint, IsThreeLinesAndExtensions) {
  const Checkpoint checkpoint = parse_checkpoint(kBody + "one more\nand more\n").value();
  EXPECT_EQ(checkpoint.origin, kName);
  EXPECT_EQ(checkpoint.size, 7U);
  EXPECT_EQ(to_hex(checkpoint.root),
            "b7685530b392709d337346695d8c5ba5487f0c48713667441d27bd7866cc950a");
  EXPECT_EQ(checkpoint.extensions, (std::vector<std::string>{"one more", "and more"}));
  EXPECT_EQ(checkpoint.text(), kBody + "one more\nand more\n");
}

TEST(Checkpoint, OfTheEmptyTreeHasSizeZero) {
  const Checkpoint empty{.origin = "a", .size = 0, .root = sha256({})};
  EXPECT_EQ(empty.text(), "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
  EXPECT_EQ(parse_checkpoint(empty.text()).value(), empty);
}

TEST(Checkpoint, AnotherWritingOfItIsRefused) {
  const std::string root = "t2hVMLOScJ0zc0ZpXYxbpUh/DEhxNmdEHSe9eGbMlQo=";
  const auto parse = [&](std::string_view shape) {  // with the root for each *
    std::string body;
    for (const char c : shape) body += c == '*' ? root : std::string(1, c);
    return parse_checkpoint(body);
  };
  EXPECT_TRUE(parse("a b+c\n18446744073709551615\n*\n").has_value());
  for (const std::string_view bad : {"",
                                     "\n",
                                     "a\n7\n*",
                                     "a\n7\n*\n\n",
                                     "a\n7\n*\n\nx\n",
                                     "a\n7\n*\nx",
                                     "\n7\n*\n",
                                     "a\n\n*\n",
                                     "a\n7\n\n",
                                     "a\n7\n",
                                     "\na\n7\n*\n",
                                     "a\n07\n*\n",
                                     "a\n00\n*\n",
                                     "a\n+7\n*\n",
                                     "a\n-7\n*\n",
                                     "a\n-0\n*\n",
                                     "a\n 7\n*\n",
                                     "a\n7 \n*\n",
                                     "a\n7.0\n*\n",
                                     "a\n0x7\n*\n",
                                     "a\n7e1\n*\n",
                                     "a\n18446744073709551616\n*\n",
                                     "a\n7\nAAAA*\n",
                                     "a\n7\n* \n",
                                     "a\n7\n **\n",
                                     "a\n7\nAAAA\n",
                                     "a\n7\nt2hVMLOScJ0zc0ZpXYxbpUh/DEhxNmdEHSe9eGbMlQo\n",
                                     "a\n7\nt2hVMLOScJ0zc0ZpXYxbpUh/DEhxNmdEHSe9eGbMlQp=\n",
                                     "\xFF\n7\n*\n",
                                     "a\r\n7\r\n*\r\n",
                                     "a\tb\n7\n*\n"})
    EXPECT_EQ(parse(bad).error().code, ErrorCode::kInvalidArgument) << bad;
}

RC_GTEST_PROP(CheckpointProperty, SignedAndOpenedItIsTheSame, ()) {
  const auto line = [](const std::string& prefix) {
    return rc::gen::map(rc::gen::container<std::string>(rc::gen::inRange(' ', '~')),
                        [prefix](const std::string& rest) { return prefix + rest; });
  };
  const Checkpoint checkpoint{
      .origin = *line("o"),
      .size = *rc::gen::arbitrary<std::uint64_t>(),
      .root = sha256(*rc::gen::arbitrary<Bytes>()),
      .extensions = *rc::gen::container<std::vector<std::string>>(line("x")),
  };
  const std::string note = sign_note(checkpoint.text(), kName, some_key());
  const std::string body = open_note(note, some_verifier()).value();
  RC_ASSERT(parse_checkpoint(body).value() == checkpoint);
}

}  // namespace
}  // namespace loam::crypto
