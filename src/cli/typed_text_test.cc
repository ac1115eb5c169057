// What a retraction leaves of the words that were typed in `loam chat`.
#include "cli/typed_text.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "codec/json.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::cli {
namespace {

class TypedTextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folders_.state = folder_;
    ASSERT_TRUE(env::make_folder(saved_chats(folders_)));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  env::Path save(const std::string& name, const std::string& text) {
    const env::Path file = saved_chats(folders_) / name;
    EXPECT_TRUE(env::write_file_atomic(file, text, 0600));
    return file;
  }
  std::vector<env::Path> forget() {
    const auto body = codec::parse_json(R"({"messages": [
      {"role": "system", "content": "Be short."},
      {"role": "user", "content": "Mail [email]: what is a needle?"},
      {"role": "assistant", "content": "A thin thing."},
      {"role": "user", "content": "Say it\nin two lines."},
      {"role": "assistant", "content": "Thin.\nThing."}]})");
    EXPECT_TRUE(body);
    return forget_typed(folders_, *body);
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-typed-");
  env::Folders folders_;
};

TEST_F(TypedTextTest, LinesOfTheRecordLeaveTheHistoryAsTheyWereTyped) {
  ASSERT_TRUE(env::write_file_atomic(history_file(folders_),
                                     "/set seed 1\n/system Be short.\nsomething else\n"
                                     "  Mail ann@example.org: what is a needle? \n\"\"\"Say it\n"
                                     "in two lines.\"\"\"\n\xFF\nlast\n",
                                     0600));
  EXPECT_TRUE(forget().empty());
  EXPECT_EQ(*env::read_file(history_file(folders_), 1024),
            "/set seed 1\nsomething else\n\xFF\nlast\n");
}

TEST_F(TypedTextTest, SavedConversationsThatHaveItsTextAreNamed) {
  const auto mine = save("mine.json", R"({"messages": [{"role": "user", "content":
      "Mail ann@example.org: what is a needle?"}]})");
  save("other.json", R"({"messages": [{"role": "system", "content": "Be short."},
      {"role": "user", "content": "Hello"}]})");
  const auto broken = save("broken.json", "{");
  EXPECT_EQ(forget(), (std::vector{broken, mine}));
}

TEST_F(TypedTextTest, NothingWasTyped) {
  std::filesystem::remove_all(folder_);
  EXPECT_TRUE(forget().empty());
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

}  // namespace
}  // namespace loam::cli
