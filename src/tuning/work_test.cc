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

TEST(Work, WhoRunsOutOfMemoryIsToldWhatWouldHelp) {
  const Error capped = out_of_memory(std::uint64_t{20} << 20, "ftjob-1");
  EXPECT_TRUE(capped.message.contains("the 20 MiB that it may use")) << capped.message;
  EXPECT_TRUE(capped.hint.contains("training.memory_max, or memory_max")) << capped.hint;
  const Error none_left = out_of_memory(0, "ftjob-1");
  EXPECT_TRUE(none_left.message.contains("than there is")) << none_left.message;
  EXPECT_FALSE(none_left.hint.contains("memory_max")) << none_left.hint;
  for (const Error& error : {capped, none_left})
    EXPECT_TRUE(error.hint.contains("loam train resume ftjob-1")) << error.hint;
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
