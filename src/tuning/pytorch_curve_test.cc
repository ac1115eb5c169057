// The whole of a run against PyTorch with PEFT: order, batches, masks, schedule, clipping, AdamW.
// The curve was made once by tests/training/make_pytorch_fixture.py, which has the formulas of the
// weights, of the first adapter and of the order a second time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "codec/json.h"
#include "train/testing/toy_model.h"
#include "tuning/training_run.h"

namespace loam::tuning {
namespace {

// Parts of a loss or of a gradient's length. Both compute in binary32 and round in other places;
// what that makes of them grows with the steps, since AdamW divides by gradients that are nearly 0.
// A tenth of these was seen; weight_decay = 0 instead of 0.01 is five times the second.
constexpr double kFirstDifferenceMax = 1e-6;
constexpr double kDifferenceMax = 1e-4;

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

/// As a part of the second.
double apart(double a, double b) { return std::abs(a - b) / b; }

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
  double first = 0, most = 0, most_norm = 0;
  for (std::uint64_t step = 0; step < run.steps(); ++step) {
    const StepReport report = run.advance().value();
    const double loss = apart(report.loss, number(fixture, "losses", step));
    if (step == 0) first = loss;
    most = std::max(most, loss);
    most_norm =
        std::max(most_norm, apart(report.gradient_norm, number(fixture, "gradient_norms", step)));
    EXPECT_NEAR(report.rate, number(fixture, "rates", step), 1e-11) << "step " << step;
  }
  RecordProperty("differences", format("{:.2e} {:.2e} {:.2e}", first, most, most_norm));
  EXPECT_LT(first, kFirstDifferenceMax);
  EXPECT_LT(most, kDifferenceMax);
  EXPECT_LT(most_norm, kDifferenceMax);
  EXPECT_LT(number(fixture, "losses", 29), 0.7 * number(fixture, "losses", 0)) << "it learns";
}

}  // namespace
}  // namespace loam::tuning
