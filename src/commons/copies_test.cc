#include "commons/copies.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "env/file.h"
#include "env/random.h"

namespace loam::commons {
namespace {

class CopiesTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_ / "home"); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static ledger::RecordId record(std::string_view of) { return {crypto::sha256(as_bytes(of))}; }
  env::Path write(const env::Path& file, std::string_view content) {
    std::filesystem::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << content;
    return folder_ / file;
  }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-copies-");
  const Copies copies_{folder_ / "home" / "copies"};
};

TEST_F(CopiesTest, ARetractionReachesTheExportsAndNamesTheDataSets) {
  const ledger::RecordId gone = record("gone"), kept = record("kept");
  const auto file_of = [&](const char* log, const ledger::RecordId& id) {
    return env::Path(log) / "body" / to_text(id);
  };
  const env::Path text = write(file_of("export", gone), "{}");
  const env::Path other = write(file_of("export", kept), "{}");
  const env::Path unlisted = write(file_of("unlisted", gone), "{}");
  write("set/bodies.jsonl", std::string((1U << 20) - 10, ' ') + to_text(gone) + "\n");
  write("other set/bodies.jsonl", to_text(kept) + "\n");
  for (const char* name : {"export", "gone", "set", "other set", "export"})
    ASSERT_TRUE(copies_.remember(folder_ / name));

  const auto reached = copies_.erase(std::array{record("a third"), gone});
  ASSERT_TRUE(reached) << reached.error().message;
  EXPECT_EQ(reached->erased, std::vector{folder_ / "export"});
  EXPECT_EQ(reached->left, std::vector{folder_ / "set"});
  EXPECT_FALSE(std::filesystem::exists(text));
  EXPECT_TRUE(std::filesystem::exists(other));
  EXPECT_TRUE(std::filesystem::exists(unlisted));
}

TEST_F(CopiesTest, WhatAKilledExportOrBuildLeftIsFound) {
  const ledger::RecordId gone = record("gone"), kept = record("kept");
  const env::Path half = write(env::Path("export/body") / (to_text(gone) + ".tmp-x7"), "{}");
  const env::Path other = write(env::Path("export/body") / (to_text(kept) + ".tmp-x7"), "{}");
  write("set.building/bodies.jsonl", "");
  write("whole/manifest.json", "");
  for (const char* name : {"export", "set", "whole"}) ASSERT_TRUE(copies_.remember(folder_ / name));
  const auto reached = copies_.erase(std::array{gone});
  ASSERT_TRUE(reached) << reached.error().message;
  EXPECT_EQ(reached->erased, std::vector{folder_ / "export"});
  EXPECT_EQ(reached->left, std::vector{folder_ / "set.building"});
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_TRUE(std::filesystem::exists(other));
}

TEST_F(CopiesTest, WhatCannotBeReadMayHoldATextAndIsNamed) {
  write("set/bodies.jsonl/a folder in place of the file", "");
  std::filesystem::create_directories(folder_ / "circle");
  std::filesystem::create_symlink("bodies.jsonl", folder_ / "circle" / "bodies.jsonl");
  std::filesystem::create_symlink("body", folder_ / "circle" / "body");
  for (const char* name : {"set", "circle"}) ASSERT_TRUE(copies_.remember(folder_ / name));
  const auto reached = copies_.erase(std::array{record("gone")});
  ASSERT_TRUE(reached) << reached.error().message;
  EXPECT_EQ(reached->left, (std::vector{folder_ / "set", folder_ / "circle"}));
}

TEST_F(CopiesTest, EachFolderIsListedOnce) {
  EXPECT_TRUE(copies_.list()->empty());
  for (const char* name : {"one", "two", "one"}) ASSERT_TRUE(copies_.remember(folder_ / name));
  EXPECT_EQ(copies_.list().value(), (std::vector<env::Path>{folder_ / "one", folder_ / "two"}));
}

TEST_F(CopiesTest, NothingWasWrittenYet) {
  const auto reached = copies_.erase(std::array{record("x")});
  ASSERT_TRUE(reached) << reached.error().message;
  EXPECT_TRUE(reached->erased.empty() && reached->left.empty());
}

TEST_F(CopiesTest, ARelativeNameIsKeptWhole) {
  ASSERT_TRUE(copies_.remember("."));
  std::ifstream list(folder_ / "home" / "copies");
  std::string line;
  std::getline(list, line);
  EXPECT_TRUE(env::Path(line).is_absolute()) << line;
}

TEST_F(CopiesTest, AFolderIsListedOnceHoweverOftenItIsWrittenTo) {
  for (const char* name : {"/a/set", "/a/set 2", "/a", "/a/set", "/a", "/a/./set"})
    ASSERT_TRUE(copies_.remember(name));
  EXPECT_EQ(*env::read_file(folder_ / "home" / "copies", 1024), "/a/set\n/a/set 2\n/a\n");
}

TEST_F(CopiesTest, HalfANameIsNotTheBeginningOfTheNext) {
  write("home/copies", "/a/se");
  ASSERT_TRUE(copies_.remember("/b"));
  EXPECT_EQ(*env::read_file(folder_ / "home" / "copies", 1024), "/a/se\n/b\n");
}

TEST_F(CopiesTest, AListThatCouldNotBeReadAnyMoreIsNotMadeLonger) {
  write("home/copies", std::string((16U << 20U) - 2, 'x') + "\n");
  const auto refused = copies_.remember("/b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(copies_.erase(std::array{record("x")}));
}

TEST_F(CopiesTest, ANameThatTheListCannotHoldIsRefused) {
  EXPECT_EQ(copies_.remember("two\nlines").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(copies_.remember("\xFF").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(CopiesTest, WithoutAHomeThereIsNothingToRemember) {
  EXPECT_TRUE(Copies(folder_ / "no home" / "copies").remember(folder_));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "no home"));
}

}  // namespace
}  // namespace loam::commons
