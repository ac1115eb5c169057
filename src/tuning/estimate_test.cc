#include "tuning/estimate.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "env/random.h"
#include "train/testing/toy_model.h"
#include "tuning/training_run.h"

namespace loam::tuning {
namespace {

class EstimateTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(rows_); }

  /// A view with that many rows to learn from, and one that is held out.
  void write_rows(std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i <= count; ++i)
      out += format(
          R"({{"id":"loam1{}","split":"{}","messages":[{{"role":"user","content":"What is a )"
          R"(harbour?"}},{{"role":"assistant","content":"Where ships rest from the sea."}}]}})"
          "\n",
          i, i < count ? "train" : "test");
    ASSERT_TRUE(env::write_file_atomic(rows_, out));
  }
  static Recipe recipe() {
    Recipe out;
    out.per_device_train_batch_size = 4;
    out.gradient_accumulation_steps = 2;
    out.num_train_epochs = 3;
    return out;
  }
  Result<Estimate> estimate_of(const Recipe& recipe) const {
    return estimate_run(rows_, recipe, train::testing::toy_shape(), false);
  }

  const env::Path rows_ = std::filesystem::temp_directory_path() / env::random_id("loam-rows-");
};

TEST_F(EstimateTest, CountsExamplesAndStepsAndWhatTheyTake) {
  write_rows(20);
  const auto found = estimate_of(recipe());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->examples, 20U) << "not what is held out";
  EXPECT_EQ(found->steps, 9U) << "5 batches, so 3 steps, three times";
  EXPECT_EQ(found->memory_bytes, run_bytes(recipe(), train::testing::toy_shape(), false));
  EXPECT_GT(found->gflop, 0);
}

TEST_F(EstimateTest, TwiceTheStepsAreTwiceTheWork) {
  write_rows(20);
  Recipe once = recipe(), twice = recipe();
  once.max_steps = 3;
  twice.max_steps = 6;
  const auto one = estimate_of(once), two = estimate_of(twice);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->steps, 3U);
  EXPECT_EQ(two->steps, 6U);
  EXPECT_DOUBLE_EQ(2 * one->gflop, two->gflop);
}

TEST_F(EstimateTest, WithoutAnExampleThereIsNothingToLearn) {
  write_rows(0);
  const auto found = estimate_of(recipe());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::tuning
