#include "tuning/objective.h"

#include <gtest/gtest.h>

#include "train/testing/finite_difference.h"
#include "train/testing/toy_model.h"

namespace loam::tuning {
namespace {

using train::testing::gradient_error;
using train::testing::numbers;
using train::testing::toy_shape;
using train::testing::toy_weights;

constexpr double kTolerance = 5e-3;  // through the whole stack in binary32

/// Two answers to each of four questions, of different lengths.
std::vector<Example> made(Stage stage) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < 4; ++i) {
    Example example{"loam1" + std::to_string(i), {}, i % 2 == 0};
    for (std::size_t t = 0; t < (stage == Stage::kDpo ? 2U : 1U); ++t) {
      Text text{{}, 2};
      for (std::size_t at = 0; at < 4 + (i + t) % 3; ++at)
        text.tokens.push_back(static_cast<train::Token>((3 * i + 5 * t * at + at) % 17));
      example.texts.push_back(text);
    }
    out.push_back(example);
  }
  return out;
}

/// Moves all parameters away from where a run begins, where preferences have special values.
void disturb(Learner& learner) {
  std::uint64_t seed = 500;
  for (const std::span<float> values : learner.parameters()) {
    const std::vector<float> by = numbers(values.size(), seed++, 0.2F);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += by[i];
  }
}

void check_gradient(const Recipe& recipe) {
  const std::vector<Example> examples = made(recipe.stage);
  const train::Weights weights =
      toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
  train::Team team(1);
  train::Gemm gemm(team);
  Learner learner(gemm, weights, recipe);
  disturb(learner);
  // KTO's anchor has no gradient on purpose: of one example alone there is none.
  const std::vector<BatchPlan> batches = recipe.stage == Stage::kKto
                                             ? std::vector<BatchPlan>{{0}, {1}, {2}, {3}}
                                             : std::vector<BatchPlan>{{0, 2}, {3, 1}};
  const auto objective = make_objective(learner, recipe, examples);
  objective->accumulate(batches);
  std::vector<std::vector<float>> gradients;  // more is added to the learner's below
  for (const std::span<float> one : learner.gradient())
    gradients.emplace_back(one.begin(), one.end());
  const train::Spans parameters = learner.parameters();
  for (std::size_t i = 0; i < parameters.size(); i += 3)
    EXPECT_LT(
        gradient_error(
            parameters[i], gradients[i], [&] { return objective->accumulate(batches); }, 0.02F, 5),
        kTolerance)
        << "stage " << static_cast<int>(recipe.stage) << ", span " << i;
}

TEST(Objective, EveryGradientIsThatOfItsLoss) {
  for (const Stage stage : {Stage::kSft, Stage::kDpo, Stage::kKto})
    for (const bool full : {false, true}) {
      SCOPED_TRACE(full ? "all parameters" : "an adapter");
      Recipe recipe;
      recipe.stage = stage;
      recipe.full = full;
      recipe.lora_rank = 3;
      recipe.lora_alpha = 6;
      recipe.cutoff_len = 16;
      recipe.pref_beta = 0.7;
      recipe.kto_chosen_weight = 1.3;
      check_gradient(recipe);
    }
}

TEST(Objective, WhoHasLearnedNothingIsIndifferent) {
  for (const bool full : {false, true}) {
    Recipe recipe;
    recipe.stage = Stage::kDpo;
    recipe.full = full;
    const std::vector<Example> examples = made(Stage::kDpo);
    const train::Weights weights =
        toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
    train::Team team(1);
    train::Gemm gemm(team);
    Learner learner(gemm, weights, recipe);
    const std::vector<BatchPlan> batches = {{0, 1, 2, 3}};
    const double loss = make_objective(learner, recipe, examples)->accumulate(batches);
    EXPECT_NEAR(loss, 0.6931471805599453, 1e-9);  // ln 2: a coin
  }
}

}  // namespace
}  // namespace loam::tuning
