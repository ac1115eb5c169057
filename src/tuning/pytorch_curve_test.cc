// The whole of a run against PyTorch with PEFT: order, batches, masks, schedule, clipping, AdamW.
// The curve was made once by tests/training/make_pytorch_fixture.py, which has the formulas of the
// weights, of the first adapter and of the order a second time.
#include <gtest/gtest.h>

#include <cmath>

#include "codec/json.h"
#include "train/testing/toy_model.h"
#include "tuning/training_run.h"

namespace loam::tuning {
namespace {

// Both compute in binary32 and round in other places. What that makes of a loss grows with the
// steps, since AdamW divides by gradients that are nearly 0. A tenth of these was seen.
constexpr double kFirstLossDifferenceMax = 1e-5;  // part of the loss
constexpr double kLossDifferenceMax = 1e-3;
constexpr double kNormDifferenceMax = 1e-2;  // part of the gradient's length

train::Shape shape() {
  return {.layers = 2,
          .width = 64,
          .ffn_width = 160,
          .vocabulary = 256,
          .attention = {.heads = 4, .kv_heads = 2, .head_width = 16},
          .rope = {.head_width = 16,
                   .rotated = 16,
                   .base = 10'000,
                   .pairs = train::RopePairs::kAdjacent,
                   .factors = {}},
          .norm_epsilon = 1e-5F};
}

std::vector<Example> examples_of(const codec::Value& fixture) {
  std::vector<Example> out;
  for (const codec::Value& item : *fixture.find("examples")->as_array()) {
    Text text;
    text.prompt_tokens = static_cast<std::size_t>(*item.find("prompt_tokens")->as_int());
    for (const codec::Value& token : *item.find("tokens")->as_array())
      text.tokens.push_back(static_cast<train::Token>(*token.as_int()));
    out.push_back({"", {text}, true});
  }
  return out;
}

double number(const codec::Value& fixture, const char* list, std::uint64_t at) {
  return (*fixture.find(list)->as_array())[at].number();
}

TEST(PytorchCurve, ThirtyStepsHaveTheLossesThatPytorchAndPeftHave) {
  const codec::Value fixture =
      codec::parse_json(
          env::read_file(env::Path(LOAM_TESTDATA) / "pytorch_curve.json", 1U << 20).value())
          .value();
  const Recipe recipe = parse_recipe(*fixture.find("recipe")->as_string(), "recipe").value();
  const std::vector<Example> examples = examples_of(fixture);
  const train::Weights weights = train::testing::toy_weights(shape(), train::testing::Head::kTied,
                                                             train::testing::Bias::kNone);
  train::Team team(1);
  train::Gemm gemm(team);
  TrainingRun run(gemm, weights, recipe, examples);
  ASSERT_EQ(run.steps(), 30U);
  ASSERT_EQ(fixture.find("losses")->as_array()->size(), 30U);
  for (std::uint64_t step = 0; step < run.steps(); ++step) {
    const StepReport report = run.advance().value();
    const double loss = number(fixture, "losses", step);
    const double norm = number(fixture, "gradient_norms", step);
    EXPECT_NEAR(report.loss, loss,
                loss * (step == 0 ? kFirstLossDifferenceMax : kLossDifferenceMax))
        << "step " << step;
    EXPECT_NEAR(report.gradient_norm, norm, norm * kNormDifferenceMax) << "step " << step;
    EXPECT_NEAR(report.rate, number(fixture, "rates", step), 1e-11) << "step " << step;
  }
  EXPECT_LT(number(fixture, "losses", 29), 0.7 * number(fixture, "losses", 0)) << "it learns";
}

}  // namespace
}  // namespace loam::tuning
