// What env promises about power cuts, on a disk that keeps only what was waited for; and that this
// disk does.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "env/file.h"
#include "env/random.h"
#include "env/testing/test_disk.h"

namespace loam::env {
namespace {

constexpr std::uint64_t kDraws = 40;

class PowerLoss : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_folder(root_));
    disk_.emplace(root_);
  }
  void TearDown() override { std::filesystem::remove_all(scratch_); }

  /// The content of `name` on each disk that a cut at `moment` may leave; "-": no such file.
  std::set<std::string> left(std::size_t moment, const Path& name, std::uint64_t draws = kDraws) {
    std::set<std::string> out;
    for (std::uint64_t seed = 0; seed < draws; ++seed) {
      const Path target = scratch_ / random_id("left-");
      disk_->survive(moment, seed, target);
      out.insert(read_file(target / name, 1U << 20).value_or("-"));
      std::filesystem::remove_all(target);
    }
    return out;
  }
  std::size_t end() { return disk_->moments().back(); }

  const Path scratch_ = std::filesystem::temp_directory_path() / random_id("loam-power-");
  const Path root_ = scratch_ / "disk";
  std::optional<testing::TestDisk> disk_;
};

TEST_F(PowerLoss, OnlyWhatWasWaitedForIsThereForCertain) {
  const Fd file = create_file(root_ / "f", 0600).value();
  ASSERT_TRUE(write_all(file, "f", "one"));
  ASSERT_TRUE(sync_file(file, "f"));
  const std::size_t without_name = disk_->now();
  ASSERT_TRUE(sync_folder(root_));
  ASSERT_TRUE(write_all(file, "f", "two"));
  disk_->stop();
  EXPECT_EQ(left(without_name, "f"), (std::set<std::string>{"-", "one"}));
  EXPECT_EQ(left(end(), "f", 1), std::set<std::string>{"one"});
  EXPECT_EQ(left(end(), "f"), (std::set<std::string>{"one", "onetwo"}));
  EXPECT_EQ(disk_->seen(end(), root_ / "f"), "onetwo");
}

TEST_F(PowerLoss, AWriteMayBeTornAtItsSectors) {
  const Fd file = create_file(root_ / "f", 0600).value();
  ASSERT_TRUE(sync_folder(root_));
  ASSERT_TRUE(write_all(file, "f", std::string(1200, 'x')));
  disk_->stop();
  const std::set<std::string> seen = left(end(), "f");
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains(std::string(1200, 'x')));
  EXPECT_TRUE(seen.contains(std::string(512, 'x')));
  EXPECT_TRUE(seen.contains(std::string(512, '\0') + std::string(688, 'x')));
  for (const std::string& content : seen)
    for (std::size_t at = 0; at < content.size(); ++at)
      ASSERT_EQ(content[at], content[at / 512 * 512]);
}

TEST_F(PowerLoss, AFileIsReplacedWholeOrNotAtAll) {
  ASSERT_TRUE(write_file_atomic(root_ / "f", "old"));
  const std::size_t begin = disk_->now();
  ASSERT_TRUE(write_file_atomic(root_ / "f", std::string(3000, 'n')));
  const std::size_t done = disk_->now();
  disk_->stop();
  for (const std::size_t moment : disk_->moments()) {
    if (moment < begin) continue;
    const std::set<std::string> seen = left(moment, "f");
    for (const std::string& content : seen)
      EXPECT_TRUE(content == std::string(3000, 'n') || (moment < done && content == "old"));
  }
}

TEST_F(PowerLoss, AFolderThatWasMadeIsThere) {
  ASSERT_TRUE(make_folder(root_ / "a" / "b"));
  ASSERT_TRUE(write_file_atomic(root_ / "a" / "b" / "f", "x"));
  disk_->stop();
  EXPECT_EQ(left(end(), "a/b/f"), std::set<std::string>{"x"});
}

TEST_F(PowerLoss, AFullDiskTakesAPartAndThenNothing) {
  disk_->fill_after(1);
  ASSERT_TRUE(write_file_atomic(root_ / "f", "kept"));
  const auto refused = write_file_atomic(root_ / "f", "too much");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(names_in(root_)->size(), 1U);
  EXPECT_EQ(*read_file(root_ / "f", 100), "kept");
  disk_->mend();
  EXPECT_TRUE(write_file_atomic(root_ / "f", "more"));
}

TEST_F(PowerLoss, ADiskThatCannotSyncIsNotBelieved) {
  disk_->break_after(0);
  EXPECT_EQ(write_file_atomic(root_ / "f", "x").error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(names_in(root_)->empty());
}

}  // namespace
}  // namespace loam::env
