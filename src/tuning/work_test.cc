#include "tuning/work.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace loam::tuning
