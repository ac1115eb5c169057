#include "pool/files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::pool {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void reopen() {
    auto opened = FileStore::open(folder_, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    files_ = *std::move(opened);
  }
  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-files-");
  env::ManualClock clock_;
  std::unique_ptr<FileStore> files_;
};

TEST_F(FilesTest, AFileIsThereAgainAfterARestart) {
  const auto added = files_->add("key_a", "tea.jsonl", "fine-tune", "one\ntwo\n");
  ASSERT_TRUE(added) << added.error().message;
  reopen();
  const auto found = files_->find("key_a", added->id);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->filename, "tea.jsonl");
  EXPECT_EQ(found->purpose, "fine-tune");
  EXPECT_EQ(found->bytes, 8U);
  EXPECT_EQ(found->sha256, added->sha256);
  EXPECT_EQ(found->created_ms, clock_.wall_ms());
  EXPECT_EQ(env::read_file(found->content, 100).value(), "one\ntwo\n");
  EXPECT_EQ(env::permissions(found->content).value(), 0600U);
}

TEST_F(FilesTest, NobodyElseKnowsOfIt) {
  const std::string id = files_->add("key_a", "a", "fine-tune", "x")->id;
  EXPECT_EQ(files_->find("key_b", id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_->remove("key_b", id).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(files_->list("key_b")->empty());
  EXPECT_EQ(files_->find("key_b", id).error().message,
            files_->find("key_b", "file-none").error().message);
  EXPECT_EQ(files_->list("key_a")->size(), 1U);
}

TEST_F(FilesTest, TheNewestIsListedFirst) {
  const std::string first = files_->add("a", "1", "fine-tune", "x")->id;
  clock_.advance_ms(5);
  const std::string second = files_->add("a", "2", "fine-tune", "")->id;
  const auto all = files_->list("a");
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).id, second);
  EXPECT_EQ(all->at(1).id, first);
}

TEST_F(FilesTest, WhatIsRemovedIsGone) {
  const auto file = files_->add("a", "1", "fine-tune", "x");
  ASSERT_TRUE(files_->remove("a", file->id));
  EXPECT_EQ(files_->find("a", file->id).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(env::names_in(folder_)->empty());
}

TEST_F(FilesTest, AnIdIsNoPath) {
  const std::string id = files_->add("a", "1", "fine-tune", "x")->id;
  for (const std::string& other : {std::string(), std::string(".."), "../" + id, id + "/",
                                   "./" + id, "file-" + std::string(300, 'a')})
    EXPECT_EQ(files_->find("a", other).error().code, ErrorCode::kNotFound) << other;
}

TEST_F(FilesTest, WhatACrashLeftIsRemoved) {
  ASSERT_TRUE(env::make_folder(folder_ / "unfinished-file-x"));
  reopen();
  EXPECT_TRUE(env::names_in(folder_)->empty());
}

TEST_F(FilesTest, OneCallerCannotFillTheDisk) {
  ASSERT_TRUE(env::make_folder(folder_ / "file-large"));
  ASSERT_TRUE(env::write_file_atomic(folder_ / "file-large" / "about.json",
                                     format(R"({{"caller":"a","bytes":{},"sha256":"{}"}})",
                                            kFilesBytesMax, std::string(64, '0'))));
  EXPECT_EQ(files_->add("a", "1", "fine-tune", "x").error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(files_->add("b", "1", "fine-tune", "x"));
}

}  // namespace
}  // namespace loam::pool
