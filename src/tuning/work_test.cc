#include "tuning/work.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "train/testing/toy_model.h"
#include "tuning/training_run.h"

namespace loam::tuning {
namespace {

TEST(Work, AllParametersAreTrainedOfSmallModelsOnly) {
  catalog::Model model;
  model.name = "llama";
  Recipe recipe;
  model.facts.parameters = 134'515'008;
  EXPECT_TRUE(check_size(recipe, model)) << "adapters are for models of any size";
  recipe.full = true;
  model.facts.parameters = 4'999'999;
  EXPECT_TRUE(check_size(recipe, model));
  model.facts.parameters = 5'000'000;
  const auto refused = check_size(recipe, model);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(refused.error().message.contains("llama")) << refused.error().message;
  EXPECT_TRUE(refused.error().message.contains("less than 5000000 parameters, and it has 5000000"))
      << refused.error().message;
  EXPECT_TRUE(refused.error().hint.contains("\"lora\"")) << refused.error().hint;
}

TEST(Work, ARunThatDoesNotFitIntoMemoryIsRefusedWithWhatItTakes) {
  const train::Shape shape = train::testing::toy_shape();
  const Recipe recipe;
  const std::uint64_t needed = run_bytes(recipe, shape, false);
  EXPECT_TRUE(check_memory(recipe, shape, false, needed));
  const auto refused = check_memory(recipe, shape, false, needed - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(refused.error().message.contains(format("takes {} MiB", needed >> 20)))
      << refused.error().message;
  EXPECT_TRUE(refused.error().hint.contains("training.memory_max")) << refused.error().hint;
  Recipe smaller;
  smaller.per_device_train_batch_size = 1;
  EXPECT_TRUE(check_memory(smaller, shape, false, needed - 1)) << "as the hint says";
}

}  // namespace
}  // namespace loam::tuning
