#include "tuning/checkpoint.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>

#include "env/file.h"
#include "env/random.h"

namespace loam::tuning {
namespace {

Checkpoint made(std::uint64_t step, std::size_t count = 3) {
  Checkpoint out;
  out.run.fill(7);
  out.step = step;
  out.parameters.assign(count, 0.5F);
  out.optimizer = {.steps = step, .mean = out.parameters, .square = out.parameters};
  return out;
}

TEST(Checkpoint, ReadsBackAsItWas) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{5}}) {
    const Checkpoint before = made(9, count);
    const auto after = decode_checkpoint(encode_checkpoint(before));
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after->run, before.run);
    EXPECT_EQ(after->step, 9U);
    EXPECT_EQ(after->parameters, before.parameters);
    EXPECT_EQ(after->optimizer.steps, 9U);
    EXPECT_EQ(after->optimizer.mean, before.optimizer.mean);
    EXPECT_EQ(after->optimizer.square, before.optimizer.square);
  }
}

RC_GTEST_PROP(Checkpoint, AnyChangedOrMissingByteIsFound, ()) {
  Bytes bytes = encode_checkpoint(made(1));
  const std::size_t at = *rc::gen::inRange<std::size_t>(0, bytes.size());
  if (*rc::gen::arbitrary<bool>())
    bytes[at] ^= *rc::gen::inRange<std::uint8_t>(1, 255);
  else
    bytes.resize(at);
  RC_ASSERT(decode_checkpoint(bytes).error().code == ErrorCode::kCorrupt);
}

class CheckpointsTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::uint64_t newest() {
    const auto found = checkpoints_.newest(made(0).run);
    EXPECT_TRUE(found) << found.error().message;
    return found && *found ? (*found)->step : 0;
  }
  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-ckp-");
  const Checkpoints checkpoints_{folder_};
};

TEST_F(CheckpointsTest, TheTwoNewestStay) {
  EXPECT_EQ(newest(), 0U);
  ASSERT_TRUE(env::make_folder(folder_));
  ASSERT_TRUE(env::write_file_atomic(folder_ / "step-000000000009.checkpoint.tmp-half",
                                     "cut off by a kill"));
  for (const std::uint64_t step : {9U, 10U, 100U}) ASSERT_TRUE(checkpoints_.save(made(step)));
  EXPECT_EQ(env::names_in(folder_)->size(), 2U);
  EXPECT_EQ(newest(), 100U);
}

TEST_F(CheckpointsTest, ARunThatBeganAnewKeepsItsOwn) {
  Checkpoint other = made(500);
  other.run.fill(8);
  ASSERT_TRUE(checkpoints_.save(other));
  for (const std::uint64_t step : {50U, 100U}) {
    ASSERT_TRUE(checkpoints_.save(made(step)));
    EXPECT_EQ(newest(), step);
  }
  EXPECT_EQ(env::names_in(folder_)->size(), 2U);
}

TEST_F(CheckpointsTest, ADamagedOneIsPassedOverForTheOneBefore) {
  for (const std::uint64_t step : {9U, 10U}) ASSERT_TRUE(checkpoints_.save(made(step)));
  std::filesystem::resize_file(folder_ / "step-000000000010.checkpoint", 50);
  EXPECT_EQ(newest(), 9U);
}

TEST_F(CheckpointsTest, AnotherRunsIsNotTaken) {
  Checkpoint other = made(5);
  other.run.fill(8);
  ASSERT_TRUE(checkpoints_.save(other));
  EXPECT_EQ(newest(), 0U);
}

}  // namespace
}  // namespace loam::tuning
