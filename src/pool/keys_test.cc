#include "pool/keys.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/parse.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::pool {
namespace {

constexpr Scopes kInfer{.infer = true};

class KeysTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<KeyRing> opened() {
    auto ring = KeyRing::open(database_, token_, clock_);
    EXPECT_TRUE(ring.has_value()) << ring.error().message;
    return std::move(*ring);
  }
  std::string owner_token() { return std::string(trim(env::read_file(token_, 4096).value())); }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-keys-");
  env::Path database_ = folder_ / "data" / "keys.db";
  env::Path token_ = folder_ / "config" / "token";
  env::ManualClock clock_;
};

TEST_F(KeysTest, MakesATokenOfTheOwnerThatOnlyTheOwnerCanRead) {
  auto ring = opened();
  EXPECT_EQ(env::permissions(token_).value(), 0600U);
  const auto caller = ring->identify(owner_token());
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->id, "owner");
  EXPECT_EQ(caller->scopes, (Scopes{true, true, true}));
  const std::string before = owner_token();
  ring = opened();
  EXPECT_EQ(owner_token(), before);
}

TEST_F(KeysTest, RefusesATokenThatOthersCanReadAndSaysHowToMendIt) {
  opened();
  ASSERT_TRUE(env::set_permissions(token_, 0640).has_value());
  const auto ring = KeyRing::open(database_, token_, clock_);
  ASSERT_FALSE(ring.has_value());
  EXPECT_EQ(ring.error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(ring.error().message.contains("640"));
  EXPECT_TRUE(ring.error().hint.contains("chmod 600 " + token_.string()));
}

TEST_F(KeysTest, RefusesAnEmptyToken) {
  opened();
  ASSERT_TRUE(env::write_file_atomic(token_, "\n", 0600).has_value());
  EXPECT_EQ(KeyRing::open(database_, token_, clock_).error().code, ErrorCode::kCorrupt);
}

TEST_F(KeysTest, KnowsAKeyByItsSecretAlsoAfterARestart) {
  auto ring = opened();
  const auto [key, secret] = ring->create("laptop", kInfer).value();
  EXPECT_TRUE(secret.starts_with("loam-"));
  EXPECT_TRUE(key.id.starts_with("key_"));
  ring.reset();
  ring = opened();
  const auto caller = ring->identify(secret);
  ASSERT_TRUE(caller.has_value());
  EXPECT_EQ(caller->id, key.id);
  EXPECT_EQ(caller->scopes, kInfer);
  EXPECT_FALSE(ring->identify(secret + "x").has_value());
  EXPECT_FALSE(ring->identify(secret.substr(1)).has_value());
  EXPECT_FALSE(ring->identify("").has_value());
}

TEST_F(KeysTest, TheSecretIsNowhereOnTheDisk) {
  std::string secret;
  {
    auto ring = opened();
    secret = ring->create("", kInfer).value().second;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_FALSE(env::read_file(entry.path(), 1 << 22).value().contains(secret.substr(5)));
  }
}

TEST_F(KeysTest, ARevokedKeyIsNobodys) {
  auto ring = opened();
  const auto [key, secret] = ring->create("a", kInfer).value();
  ASSERT_TRUE(ring->revoke(key.id).has_value());
  EXPECT_FALSE(ring->identify(secret).has_value());
  EXPECT_EQ(ring->revoke(key.id).error().code, ErrorCode::kNotFound);
  ring.reset();
  EXPECT_FALSE(opened()->identify(secret).has_value());
}

TEST_F(KeysTest, NotesTheHourOfUseAndNoMore) {
  auto ring = opened();
  const auto secret = ring->create("a", kInfer).value().second;
  EXPECT_EQ(ring->list().value()[0].used_ms, 0);
  clock_.advance_ms(1234);
  ASSERT_TRUE(ring->identify(secret).has_value());
  const std::int64_t hour = clock_.wall_ms() / 3'600'000 * 3'600'000;
  EXPECT_EQ(ring->list().value()[0].used_ms, hour);
  clock_.advance_ms(2 * 3'600'000);
  ASSERT_TRUE(ring->identify(secret).has_value());
  ring.reset();
  EXPECT_EQ(opened()->list().value()[0].used_ms, hour + 2 * 3'600'000);
}

TEST_F(KeysTest, ListsTheOldestFirst) {
  auto ring = opened();
  ASSERT_TRUE(ring->create("one", kInfer).has_value());
  clock_.advance_ms(1);
  ASSERT_TRUE(ring->create("two", {true, true, false}).has_value());
  const auto keys = ring->list().value();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].label, "one");
  EXPECT_EQ(keys[1].label, "two");
  EXPECT_EQ(scopes_text(keys[1].scopes), "infer,publish");
}

TEST_F(KeysTest, RefusesAKeyWithoutScopeOrWithAnOddLabel) {
  auto ring = opened();
  EXPECT_EQ(ring->create("a", {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ring->create("a\nb", kInfer).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ring->create("\xff", kInfer).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ring->create(std::string(201, 'a'), kInfer).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(ring->list().value().empty());
}

TEST(Scopes, ReadsWhatItWritesAndNothingElse) {
  for (const char* text : {"infer", "publish", "admin", "infer,publish,admin"})
    EXPECT_EQ(scopes_text(parse_scopes(text).value()), text);
  EXPECT_EQ(parse_scopes(" admin , infer ").value(), (Scopes{true, false, true}));
  for (const char* text : {"", "infer,", "Infer", "all"})
    EXPECT_EQ(parse_scopes(text).error().code, ErrorCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace loam::pool
