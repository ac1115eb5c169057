#include "crypto/ed25519.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "crypto/testing/test_vectors.h"

namespace loam::crypto {
namespace {

using testing::bytes_of;
using testing::read_vectors;
using testing::Vector;

// testdata/ed25519.py works the claims of these files out again by the group's arithmetic.
TEST(Ed25519, EveryVectorHasTheVerdictOfTheStrictRule) {
  for (Vector& vector : read_vectors("ed25519.json", "signatures")) {
    SCOPED_TRACE(vector["shows"]);
    EXPECT_EQ(verify(bytes_of<32>(vector["key"]), from_hex(vector["message"]).value(),
                     bytes_of<64>(vector["signature"])),
              vector["valid"] == "true");
  }
}

TEST(Ed25519, EveryKeyHasTheVerdictOfTheStrictRule) {
  for (Vector& vector : read_vectors("ed25519.json", "keys")) {
    SCOPED_TRACE(vector["shows"] + " " + vector["key"]);
    EXPECT_EQ(is_valid_public_key(bytes_of<32>(vector["key"])), vector["valid"] == "true");
  }
}

TEST(Ed25519, SignsAsTheVectorsOfRfc8032) {
  int seen = 0;
  for (Vector& vector : read_vectors("ed25519.json", "signatures")) {
    if (vector["seed"].empty()) continue;
    SCOPED_TRACE(vector["shows"]);
    const SigningKey key = SigningKey::from_seed(bytes_of<32>(vector["seed"]));
    EXPECT_EQ(to_hex(key.public_key()), vector["key"]);
    EXPECT_EQ(to_hex(key.seed()), vector["seed"]);
    EXPECT_EQ(to_hex(key.sign(from_hex(vector["message"]).value())), vector["signature"]);
    ++seen;
  }
  EXPECT_EQ(seen, 4);
}

TEST(Ed25519, ASignatureHoldsForItsMessageAndKeyOnly) {
  const SigningKey key = SigningKey::generate();
  const SigningKey other = SigningKey::generate();
  EXPECT_NE(key.public_key(), other.public_key());
  EXPECT_TRUE(is_valid_public_key(key.public_key()));
  const Signature signature = key.sign(as_bytes("a record"));
  EXPECT_TRUE(verify(key.public_key(), as_bytes("a record"), signature));
  EXPECT_FALSE(verify(key.public_key(), as_bytes("a recorD"), signature));
  EXPECT_FALSE(verify(key.public_key(), {}, signature));
  EXPECT_FALSE(verify(other.public_key(), as_bytes("a record"), signature));
}

TEST(Ed25519, NoBitOfSignatureOrKeyIsFree) {
  const SigningKey key = SigningKey::from_seed({7});
  const Signature good = key.sign(as_bytes("a record"));
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Signature bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify(key.public_key(), as_bytes("a record"), bad)) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * key.public_key().size(); ++bit) {
    PublicKey bad = key.public_key();
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(verify(bad, as_bytes("a record"), good)) << bit;
  }
}

// NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the question.
TEST(SigningKey, MovingWipesTheSource) {
  const std::array<std::uint8_t, 32> none{};
  SigningKey first = SigningKey::from_seed({1, 2, 3});
  const PublicKey name = first.public_key();

  SigningKey second = std::move(first);
  EXPECT_EQ(first.seed(), none);
  EXPECT_EQ(first.public_key(), none);
  EXPECT_EQ(second.public_key(), name);

  SigningKey third = SigningKey::from_seed({4});
  third = std::move(second);
  EXPECT_EQ(second.seed(), none);
  EXPECT_TRUE(verify(name, as_bytes("x"), third.sign(as_bytes("x"))));

  SigningKey& same = third;
  third = std::move(same);
  EXPECT_EQ(third.public_key(), name);
  EXPECT_DEATH((void)second.sign({}), "check failed");
}
// NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)

}  // namespace
}  // namespace loam::crypto
