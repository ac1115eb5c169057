#include <gtest/gtest.h>

#include <array>

#include "crypto/chacha.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

namespace loam::crypto {
namespace {

TEST(Sha256, MatchesTheVectorsOfFips180) {
  EXPECT_EQ(digest_hex(sha256({})),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  const std::string text(1000, 'x');
  Sha256 hash;
  for (std::size_t i = 0; i < text.size(); i += 7)
    hash.update(as_bytes(std::string_view(text).substr(i, 7)));
  EXPECT_EQ(hash.finish(), sha256(as_bytes(text)));
}

TEST(Digest, ParsesOnlySixtyFourHexCharacters) {
  const Digest digest = sha256(as_bytes("abc"));
  EXPECT_EQ(parse_digest(digest_hex(digest)).value(), digest);
  EXPECT_FALSE(parse_digest("ab").has_value());
  EXPECT_FALSE(parse_digest(digest_hex(digest) + "00").has_value());
}

// RFC 8439 section 2.4.2 uses nonce 000000000000004a00000000; ours puts the position first, so the
// vector of section 2.3.2's layout is reached with the position that has those first 8 bytes.
TEST(ChaCha20, MatchesTheVectorOfRfc8439AppendixA1) {
  const Digest zero{};
  std::array<std::uint8_t, 64> out{};
  chacha20_keystream(zero, 0, 0, out);
  EXPECT_EQ(to_hex(std::span(out).first(16)), "76b8e0ada0f13d90405d6ae55386bd28");
  chacha20_keystream(zero, 0, 1, out);  // test vector 2
  EXPECT_EQ(to_hex(std::span(out).first(16)), "9f07e7be5551387a98ba977c732d080d");
}

TEST(ChaCha20, AnyBlockCanBeReachedDirectly) {
  const Digest key = sha256(as_bytes("key"));
  std::array<std::uint8_t, 256> all{};
  chacha20_keystream(key, 7, 0, all);
  for (std::uint32_t block = 0; block < 4; ++block) {
    std::array<std::uint8_t, 64> one{};
    chacha20_keystream(key, 7, block, one);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + 64 * block));
  }
}

TEST(Secret, ComparesAndDrawsKeys) {
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  const std::string key = new_secret("loam-");
  EXPECT_EQ(key.size(), 5U + 43U);
  EXPECT_NE(key, new_secret("loam-"));
}

TEST(Sealed, OpensWithItsPassphraseAloneAndOnlyWithinLimits) {
  const auto sealed = seal("what nobody else may read", "a passphrase");
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_EQ(open_sealed(*sealed, "a passphrase").value(), "what nobody else may read");
  EXPECT_EQ(open_sealed(*sealed, "another").error().code, ErrorCode::kPermissionDenied);
  Sealed changed = *sealed;
  changed.box.back() ^= 1;
  EXPECT_EQ(open_sealed(changed, "a passphrase").error().code, ErrorCode::kPermissionDenied);
  for (const auto& [passes, memory_kib] :
       {std::pair{0U, 8U}, {11U, 8U}, {1U, 7U}, {1U, 1024U * 1024 + 1}}) {
    changed = *sealed;
    changed.passes = passes;
    changed.memory_kib = memory_kib;
    EXPECT_EQ(open_sealed(changed, "a passphrase").error().code, ErrorCode::kInvalidArgument);
  }
  changed.box.resize(3);
  EXPECT_FALSE(open_sealed(changed, "a passphrase"));
}

}  // namespace
}  // namespace loam::crypto
