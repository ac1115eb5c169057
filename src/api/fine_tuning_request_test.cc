#include "api/fine_tuning_request.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

/// A request with these further members.
ApiResult<FineTuningRequest> parse(std::string_view more) {
  const std::string text =
      format(R"({{"model":"tiny","training_file":"file-a"{}{}}})", more.empty() ? "" : ",", more);
  const auto body = codec::parse_json(text);
  EXPECT_TRUE(body) << text;
  return parse_fine_tuning_request(*body);
}

std::string wrong_field(std::string_view more) {
  const auto request = parse(more);
  return request ? "none" : request.error().param.value_or("?");
}

TEST(FineTuningRequest, TheLeastThereIsHasDefaults) {
  const auto request = parse("");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->model, "tiny");
  EXPECT_EQ(request->training_file, "file-a");
  EXPECT_EQ(request->recipe, tuning::Recipe{});
  EXPECT_EQ(codec::to_json(hyperparameters_value(request->recipe)),
            R"({"n_epochs":3,"batch_size":8,"learning_rate_multiplier":1.0})");
}

TEST(FineTuningRequest, ReadsAllThatIsOffered) {
  const auto request = parse(
      R"("suffix":"Tea","seed":7,"metadata":{"a":"b"},"integrations":[],"validation_file":null,)"
      R"("method":{"type":"supervised","supervised":{"hyperparameters":)"
      R"({"n_epochs":2,"batch_size":6,"learning_rate_multiplier":0.1}}})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->suffix, "tea");
  EXPECT_EQ(request->recipe.seed, 7U);
  EXPECT_EQ(request->metadata.at(0).second, "b");
  EXPECT_EQ(request->recipe.num_train_epochs, 2);
  EXPECT_EQ(request->recipe.per_device_train_batch_size, 3U);
  EXPECT_EQ(request->recipe.gradient_accumulation_steps, 2U);
  EXPECT_EQ(codec::to_json(method_value(request->recipe)),
            R"({"type":"supervised","supervised":{"hyperparameters":)"
            R"({"n_epochs":2,"batch_size":6,"learning_rate_multiplier":0.1}}})");
}

TEST(FineTuningRequest, EveryBatchIsTakenWhole) {
  for (std::size_t size = 1; size <= 256; ++size) {
    const auto request = parse(format(R"("hyperparameters":{{"batch_size":{}}})", size));
    ASSERT_TRUE(request);
    const tuning::Recipe& recipe = request->recipe;
    EXPECT_EQ(recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps, size);
    EXPECT_LE(recipe.per_device_train_batch_size, 4U);
    EXPECT_TRUE(tuning::parse_recipe(tuning::to_toml(recipe), "x")) << "within a recipe's ranges";
  }
}

TEST(FineTuningRequest, PairsHaveTheirOwnRateAndBeta) {
  const auto request =
      parse(R"("method":{"type":"dpo","dpo":{"hyperparameters":{"beta":0.5,"n_epochs":"auto"}}})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->recipe.stage, tuning::Stage::kDpo);
  EXPECT_EQ(request->recipe.pref_beta, 0.5);
  EXPECT_LT(request->recipe.learning_rate, 2e-5);
  EXPECT_EQ(codec::to_json(method_value(request->recipe)),
            R"({"type":"dpo","dpo":{"hyperparameters":{"n_epochs":3,"batch_size":8,)"
            R"("learning_rate_multiplier":1.0,"beta":0.5}}})");
}

TEST(FineTuningRequest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(wrong_field(R"("seed":-1)"), "seed");
  EXPECT_EQ(wrong_field(R"("suffix":"")"), "suffix");
  EXPECT_EQ(wrong_field(R"("suffix":"a b")"), "suffix");
  EXPECT_EQ(wrong_field(R"("suffix":"a/b")"), "suffix");
  EXPECT_EQ(wrong_field(R"("metadata":{"a":1})"), "metadata");
  EXPECT_EQ(wrong_field(R"("metadata":[])"), "metadata");
  EXPECT_EQ(wrong_field(R"("method":{})"), "method.type");
  EXPECT_EQ(wrong_field(R"("method":{"type":"kto"})"), "method.type");
  EXPECT_EQ(wrong_field(R"("method":{"type":"dpo","supervised":{}})"), "method.supervised");
  EXPECT_EQ(wrong_field(R"("method":{"type":"dpo"},"hyperparameters":{})"), "hyperparameters");
  EXPECT_EQ(wrong_field(R"("hyperparameters":{"n_epochs":51})"), "hyperparameters.n_epochs");
  EXPECT_EQ(wrong_field(R"("hyperparameters":{"batch_size":"all"})"), "hyperparameters.batch_size");
  EXPECT_EQ(wrong_field(R"("hyperparameters":{"learning_rate_multiplier":0})"),
            "hyperparameters.learning_rate_multiplier");
  EXPECT_EQ(wrong_field(R"("method":{"type":"dpo","dpo":{"hyperparameters":{"beta":3}}})"),
            "method.dpo.hyperparameters.beta");
}

TEST(FineTuningRequest, WhatIsNotOfferedIsRefused) {
  for (const std::string_view more :
       {R"("validation_file":"file-b")", R"("integrations":[{"type":"wandb"}])",
        R"("method":{"type":"reinforcement"})"}) {
    const auto request = parse(more);
    ASSERT_FALSE(request) << more;
    EXPECT_EQ(request.error().code, "unsupported");
  }
  EXPECT_TRUE(parse(R"("colour":"red")")) << "unknown";
}

}  // namespace
}  // namespace loam::api
