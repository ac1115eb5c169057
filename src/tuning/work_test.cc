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

TEST(Work, ATokenizerThatMakesMoreTokensThanTheModelHasRowsIsRefused) {
  Examples examples;
  examples.items = {{"loam1a", {{{0, 16, 3}, 1}}, true},
                    {"loam1b", {{{1, 2}, 1}, {{1, 4, 9}, 1}}, true}};
  EXPECT_TRUE(check_tokens(examples, 17, "toy"));
  for (const train::Token token : {17U, 4'000'000'000U}) {
    Examples wrong = examples;
    wrong.items[1].texts[1].tokens[2] = token;  // the last token of the last text
    const auto refused = check_tokens(wrong, 17, "toy");
    ASSERT_FALSE(refused) << token;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(refused.error().message.contains("train on toy: its tokenizer")) << token;
  }
}

}  // namespace
}  // namespace loam::tuning
