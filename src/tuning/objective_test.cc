#include "tuning/objective.h"

#include <gtest/gtest.h>

#include "train/testing/finite_difference.h"
#include "train/testing/toy_model.h"

namespace loam::tuning {
namespace {

using train::testing::gradient_error;
using train::testing::toy_adapter;
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

TEST(Objective, EveryGradientIsThatOfItsLoss) {
  for (const Stage stage : {Stage::kSft, Stage::kDpo, Stage::kKto}) {
    Recipe recipe;
    recipe.stage = stage;
    recipe.cutoff_len = 16;
    recipe.pref_beta = 0.7;
    recipe.kto_chosen_weight = 1.3;
    const std::vector<Example> examples = made(stage);
    const train::Weights weights =
        toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
    train::Team team(1);
    train::Gemm gemm(team);
    train::Model model(gemm, weights, 16, train::Keep::kProducts);
    train::Adapter adapter = toy_adapter(weights.shape), gradient = adapter.zeros();
    // KTO's anchor has no gradient on purpose: of one example alone there is none.
    const std::vector<BatchPlan> batches = stage == Stage::kKto
                                               ? std::vector<BatchPlan>{{0}, {1}, {2}, {3}}
                                               : std::vector<BatchPlan>{{0, 2}, {3, 1}};
    const auto objective = make_objective(model, recipe, examples);
    objective->accumulate(batches, adapter, gradient);
    const auto loss = [&] {
      train::Adapter unused = adapter.zeros();
      return objective->accumulate(batches, adapter, unused);
    };
    const train::Spans parameters = adapter.spans(), gradients = gradient.spans();
    for (std::size_t i = 0; i < parameters.size(); i += 3)
      EXPECT_LT(gradient_error(parameters[i], gradients[i], loss, 0.02F, 5), kTolerance)
          << "stage " << static_cast<int>(stage) << ", span " << i;
  }
}

TEST(Objective, AnAdapterThatChangesNothingIsIndifferent) {
  Recipe recipe;
  recipe.stage = Stage::kDpo;
  const std::vector<Example> examples = made(Stage::kDpo);
  const train::Weights weights =
      toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
  train::Team team(1);
  train::Gemm gemm(team);
  train::Model model(gemm, weights, 16, train::Keep::kProducts);
  const train::Adapter fresh = train::make_adapter(weights.shape, {.rank = 2}, 1);
  train::Adapter gradient = fresh.zeros();
  const std::vector<BatchPlan> batches = {{0, 1, 2, 3}};
  const double loss = make_objective(model, recipe, examples)->accumulate(batches, fresh, gradient);
  EXPECT_NEAR(loss, 0.6931471805599453, 1e-9);  // ln 2: a coin
}

}  // namespace
}  // namespace loam::tuning
