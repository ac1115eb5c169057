#include "train/model.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "train/optimizer.h"
#include "train/testing/finite_difference.h"
#include "train/testing/toy_model.h"

namespace loam::train {
namespace {

using testing::Bias;
using testing::gradient_error;
using testing::Head;
using testing::toy_adapter;
using testing::toy_shape;
using testing::toy_weights;
using testing::ToyBatch;

constexpr std::size_t kPositions = 64;
constexpr double kTolerance = 5e-3;  // through the whole stack in binary32

double weighted_loss(Model& model, const ToyBatch& text, const Adapter* adapter) {
  std::vector<float> losses(text.tokens.size());
  model.losses(text.batch(), adapter, losses);
  return testing::weighted_sum(losses, text.weights);
}

std::vector<float> all_of(const Spans& spans) {
  std::vector<float> all;
  for (const std::span<float> values : spans) all.insert(all.end(), values.begin(), values.end());
  return all;
}

/// The worst error over all spans, by some numbers of each.
double worst_error(const Spans& parameters, const Spans& gradients,
                   const std::function<double()>& loss) {
  double worst = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    worst = std::max(worst, gradient_error(parameters[i], gradients[i], loss, 0.02F, 5));
  return worst;
}

class ModelTest : public ::testing::Test {
 protected:
  Team team_{1};  // a toy is faster on one thread; others are tested below
  Gemm gemm_{team_};
  ToyBatch text_;
};

TEST_F(ModelTest, AdapterGradientIsThatOfTheLoss) {
  for (const RopePairs pairs : {RopePairs::kAdjacent, RopePairs::kHalves}) {
    const bool llama = pairs == RopePairs::kAdjacent;
    const Weights weights = toy_weights(toy_shape(pairs), llama ? Head::kTied : Head::kOwn,
                                        llama ? Bias::kNone : Bias::kOfQkv);
    Adapter adapter = toy_adapter(weights.shape);
    Adapter gradient = adapter.zeros();
    Model model(gemm_, weights, kPositions, Keep::kProducts);
    const double loss = model.accumulate(text_.batch(), adapter, gradient);
    EXPECT_NEAR(loss, weighted_loss(model, text_, &adapter), 1e-9);
    EXPECT_LT(worst_error(adapter.spans(), gradient.spans(),
                          [&] { return weighted_loss(model, text_, &adapter); }),
              kTolerance);
  }
}

TEST_F(ModelTest, WholeGradientIsThatOfTheLoss) {
  for (const Head head : {Head::kTied, Head::kOwn}) {
    Weights weights = toy_weights(toy_shape(), head, Bias::kOfQkv);
    Weights gradient = weights.zeros();
    Model model(gemm_, weights, kPositions, Keep::kProducts);
    model.accumulate(text_.batch(), gradient);
    EXPECT_LT(worst_error(weights.spans(), gradient.spans(),
                          [&] { return weighted_loss(model, text_, nullptr); }),
              kTolerance);
  }
}

TEST_F(ModelTest, RecomputingGivesTheSameGradientToTheLastBit) {
  Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kOfQkv);
  for (const std::size_t first_layer : {0U, 1U}) {
    const Adapter adapter = toy_adapter(weights.shape, first_layer);
    Adapter kept = adapter.zeros(), computed = adapter.zeros();
    Model keeper(gemm_, weights, kPositions, Keep::kProducts);
    Model computer(gemm_, weights, kPositions, Keep::kLayerInputs);
    const double loss = keeper.accumulate(text_.batch(), adapter, kept);
    EXPECT_EQ(computer.accumulate(text_.batch(), adapter, computed), loss);
    EXPECT_EQ(all_of(computed.spans()), all_of(kept.spans()));
    Weights all_kept = weights.zeros(), all_computed = weights.zeros();
    keeper.accumulate(text_.batch(), all_kept);
    computer.accumulate(text_.batch(), all_computed);
    EXPECT_EQ(all_of(all_computed.spans()), all_of(all_kept.spans()));
  }
}

TEST_F(ModelTest, UpperLayersAloneHaveTheGradientThatTheyHaveAmongAll) {
  const Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kNone);
  Adapter upper = toy_adapter(weights.shape, 2);
  Adapter all = upper;  // the same values, and below them pairs that change nothing
  const Adapter fresh = make_adapter(weights.shape, {.rank = 3, .alpha = 6}, 7);
  for (std::size_t layer = 0; layer < 2; ++layer) all.layers[layer] = fresh.layers[layer];
  EXPECT_EQ(upper.first_layer(), 2);
  EXPECT_EQ(all.first_layer(), 0);
  Adapter upper_gradient = upper.zeros(), all_gradient = all.zeros();
  Model model(gemm_, weights, kPositions, Keep::kProducts);
  EXPECT_EQ(model.accumulate(text_.batch(), upper, upper_gradient),
            model.accumulate(text_.batch(), all, all_gradient));
  for (const Part part : kParts) {
    EXPECT_EQ(upper_gradient.layers[2][part].down, all_gradient.layers[2][part].down);
    EXPECT_EQ(upper_gradient.layers[2][part].up, all_gradient.layers[2][part].up);
  }
}

TEST_F(ModelTest, PackedSequencesDoNotSeeOneAnother) {
  const Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kNone);
  Model model(gemm_, weights, kPositions, Keep::kProducts);
  std::vector<float> packed(11), second(5);
  std::vector<float> weight(11, 1.0F);
  model.losses({text_.tokens, text_.starts, {text_.targets, weight}}, nullptr, packed);
  const std::vector<std::size_t> starts = {0, 5};
  model.losses({std::span(text_.tokens).subspan(6),
                starts,
                {std::span(text_.targets).subspan(6), std::span(weight).first(5)}},
               nullptr, second);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_FLOAT_EQ(packed[6 + i], second[i]);
}

TEST_F(ModelTest, PromptTokensMayBeAnythingWithoutWeight) {
  const Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kNone);
  const Adapter adapter = toy_adapter(weights.shape);
  Adapter one = adapter.zeros(), other = adapter.zeros();
  Model model(gemm_, weights, kPositions, Keep::kProducts);
  const double loss = model.accumulate(text_.batch(), adapter, one);
  text_.targets[0] = 12;
  EXPECT_EQ(model.accumulate(text_.batch(), adapter, other), loss);
  EXPECT_EQ(all_of(one.spans()), all_of(other.spans()));
}

TEST_F(ModelTest, FreshAdapterChangesNothing) {
  const Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kNone);
  const Adapter adapter = make_adapter(weights.shape, {}, 3);
  Model model(gemm_, weights, kPositions, Keep::kProducts);
  EXPECT_EQ(weighted_loss(model, text_, &adapter), weighted_loss(model, text_, nullptr));
}

/// Trains a fresh adapter for some steps; its bytes, and the loss before each step.
struct TrainedToy {
  std::vector<float> parameters;
  std::vector<double> losses;
};

TrainedToy train(std::size_t threads, InstructionSet set, int steps) {
  Team team(threads);
  Gemm gemm(team, set);
  const Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kOfQkv);
  Adapter adapter = make_adapter(weights.shape, {.rank = 4}, 42);
  Adapter gradient = adapter.zeros();
  Model model(gemm, weights, kPositions, Keep::kProducts);
  AdamW adam({}, size_of(adapter.spans()));
  const Schedule schedule{.rate_max = 0.02, .warmup_steps = 3, .steps = 60};
  const ToyBatch text;
  TrainedToy run;
  for (int step = 0; step < steps; ++step) {
    for (const std::span<float> values : gradient.spans()) std::ranges::fill(values, 0.0F);
    run.losses.push_back(model.accumulate(text.batch(), adapter, gradient));
    clip_to_norm(gradient.spans(), 1.0);
    adam.step(adapter.spans(), gradient.spans(), schedule.rate(static_cast<std::uint64_t>(step)));
  }
  run.parameters = all_of(adapter.spans());
  return run;
}

TEST(Training, LearnsTheToyByHeart) {
  const TrainedToy run = train(2, instruction_sets().back(), 60);
  EXPECT_GT(run.losses.front(), 2.5);
  EXPECT_LT(run.losses.back(), run.losses.front() / 10);
}

TEST(Training, GivesTheSameBytesOnAnyNumberOfThreadsAndInstructionSet) {
  const TrainedToy expected = train(1, InstructionSet::kPortable, 12);
  for (const InstructionSet set : instruction_sets())
    for (const std::size_t threads : {1U, 2U}) {
      const TrainedToy run = train(threads, set, 12);
      EXPECT_EQ(run.parameters, expected.parameters) << instruction_set_name(set) << threads;
      EXPECT_EQ(run.losses, expected.losses);
    }
}

/// A short name for the bits of many numbers. @source Fowler, Noll and Vo, FNV-1a.
std::uint64_t fingerprint(const std::vector<float>& values) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const float value : values)
    hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001B3U;
  return hash;
}

TEST(Training, GivesTheBytesThatEveryCompilerAndMachineGave) {
  // A change of this number is a change of what a recipe means: lineages name the code's version.
  EXPECT_EQ(fingerprint(train(2, instruction_sets().back(), 12).parameters), 0x5443DA49122685D2U);
}

TEST(Training, WholeModelLearnsTooAndTakesTheFreshGradientEachTime) {
  Team team(2);
  Gemm gemm(team);
  Weights weights = toy_weights(toy_shape(), Head::kTied, Bias::kNone);
  Weights gradient = weights.zeros();
  Model model(gemm, weights, kPositions, Keep::kLayerInputs);
  AdamW adam({}, size_of(weights.spans()));
  const ToyBatch text;
  double first = 0, last = 0;
  for (int step = 0; step < 40; ++step) {
    for (const std::span<float> values : gradient.spans()) std::ranges::fill(values, 0.0F);
    last = model.accumulate(text.batch(), gradient);
    if (step == 0) first = last;
    adam.step(weights.spans(), gradient.spans(), 0.01);
  }
  EXPECT_LT(last, first / 10);
}

TEST(Weights, NormsAndBiasesDoNotDecay) {
  Weights weights = toy_weights(toy_shape(), Head::kOwn, Bias::kOfQkv);
  const std::vector<bool> decayed = weights.decayed();
  const Spans all = weights.spans();
  ASSERT_EQ(decayed.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i)  // no matrix of the toy is as small as a vector
    EXPECT_EQ(decayed[i], all[i].size() > 20) << i;
}

TEST(Adapter, StartsFromItsSeedAlone) {
  Adapter one = make_adapter(toy_shape(), {.rank = 2, .parts = {Part::kDown, Part::kQ}}, 5);
  Adapter two = make_adapter(toy_shape(), {.rank = 2, .parts = {Part::kQ, Part::kDown}}, 5);
  Adapter three = make_adapter(toy_shape(), {.rank = 2, .parts = {Part::kQ, Part::kDown}}, 6);
  EXPECT_EQ(all_of(one.spans()), all_of(two.spans()));
  EXPECT_NE(all_of(one.spans()), all_of(three.spans()));
  EXPECT_EQ(one.spans().size(), 3U * 2U * 2U);
  EXPECT_TRUE(one.layers[0][Part::kGate].down.empty());
  const float bound = 1 / std::sqrt(12.0F);
  for (const float value : one.layers[0][Part::kQ].down) EXPECT_LE(std::abs(value), bound);
}

}  // namespace
}  // namespace loam::train
