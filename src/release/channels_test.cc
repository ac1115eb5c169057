#include "release/channels.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/random.h"

namespace loam::release {
namespace {

ledger::RecordId record(std::uint8_t n) { return {crypto::Digest{n}}; }

class ChannelBookTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-book-");
  const ChannelBook book_{folder_};
};

TEST_F(ChannelBookTest, IsEmptyUntilSomethingIsDecided) {
  EXPECT_EQ(*book_.read(), ChannelBook::Content{});
}

TEST_F(ChannelBookTest, KeepsPoliciesAndDecisions) {
  const ChannelPolicy policy{Adoption::kAuto, 2, {crypto::PublicKey{1}, crypto::PublicKey{2}}};
  ASSERT_TRUE(book_.set_policy("0123456789abcdef", policy));
  ASSERT_TRUE(book_.decide(record(1), {Decision::State::kTaken, "sailor", "passed", 7}));
  ASSERT_TRUE(book_.decide(record(2), {Decision::State::kRefused, "", "a \"bad\" one", 8}));
  ASSERT_TRUE(book_.decide(record(1), {Decision::State::kRolledBack, "sailor", "asked", 9}));
  const auto content = ChannelBook(folder_).read();
  ASSERT_TRUE(content) << content.error().message;
  EXPECT_EQ(content->policies.at("0123456789abcdef"), policy);
  EXPECT_EQ(content->decisions.at(record(1)).state, Decision::State::kRolledBack);
  EXPECT_EQ(content->decisions.at(record(2)).why, "a \"bad\" one");
}

TEST_F(ChannelBookTest, ADamagedFileIsRefusedAndStays) {
  ASSERT_TRUE(book_.set_policy("0123456789abcdef", {}));
  for (
      const std::string_view bad :
      {"", "{}", R"({"policies":{},"decisions":{"x":{"state":"taken"}}})",
       R"({"policies":{"a":{"adoption":"maybe","attestations":0,"attestors":[]}},"decisions":{}})",
       R"({"policies":{"a":{"adoption":"ask","attestations":-1,"attestors":[]}},"decisions":{}})",
       R"({"policies":{"a":{"adoption":"ask","attestations":0,"attestors":[3]}},"decisions":{}})"}) {
    ASSERT_TRUE(env::write_file_atomic(folder_ / "book.json", bad));
    EXPECT_EQ(book_.read().error().code, ErrorCode::kCorrupt) << bad;
    EXPECT_FALSE(book_.decide(record(1), {}));
    EXPECT_EQ(env::read_file(folder_ / "book.json", 1000).value(), bad);
  }
}

TEST_F(ChannelBookTest, OneProgramTakesAtATime) {
  const auto held = book_.lock();
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(book_.lock().error().code, ErrorCode::kAlreadyExists);
}

TEST(Adoption, HasNames) {
  for (const Adoption adoption : {Adoption::kOff, Adoption::kAsk, Adoption::kAuto})
    EXPECT_EQ(*parse_adoption(adoption_name(adoption)), adoption);
  EXPECT_FALSE(parse_adoption("always"));
}

}  // namespace
}  // namespace loam::release
