#include "tuning/training_run.h"

#include <gtest/gtest.h>

#include <limits>

#include "train/testing/toy_model.h"
#include "tuning/train_log.h"

namespace loam::tuning {
namespace {

using train::testing::toy_shape;
using train::testing::toy_weights;

/// Sequences in which each token follows from the one before: easy to learn.
std::vector<Example> counting(std::size_t count) {
  std::vector<Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    Text text{{}, 2};
    for (std::size_t at = 0; at < 5 + i % 4; ++at)
      text.tokens.push_back(static_cast<train::Token>((i + at) % 17));
    out.push_back({"loam1" + std::to_string(i), {text}, true});
  }
  return out;
}

class TrainingRunTest : public ::testing::Test {
 protected:
  static Recipe recipe() {
    Recipe out;
    out.cutoff_len = 8;
    out.lora_rank = 2;
    out.lora_alpha = 4;
    out.per_device_train_batch_size = 3;
    out.gradient_accumulation_steps = 2;
    out.learning_rate = 2e-2;
    out.num_train_epochs = 6;
    return out;
  }
  /// An adapter, and all parameters.
  static std::vector<Recipe> kinds() {
    std::vector<Recipe> out{recipe(), recipe()};
    out[1].full = true;
    return out;
  }
  struct Result {
    std::string log;
    std::vector<float> trained;
    std::vector<StepReport> reports;
  };
  static Result finish(TrainingRun& run) {
    Result out;
    while (run.step() < run.steps()) {
      const auto report = run.advance();
      EXPECT_TRUE(report) << report.error().message;
      if (!report) break;
      out.reports.push_back(*report);
      out.log += log_line(*report);
    }
    out.trained = run.checkpoint({}).parameters;
    return out;
  }

  const train::Weights weights_ =
      toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
  const std::vector<Example> examples_ = counting(14);
  train::Team team_{1};
  train::Gemm gemm_{team_};
};

TEST_F(TrainingRunTest, LearnsWhatTheExamplesShow) {
  for (const Recipe& of : kinds()) {
    TrainingRun run(gemm_, weights_, of, examples_);
    const Result done = finish(run);
    ASSERT_EQ(done.reports.size(), run.steps());
    EXPECT_GT(run.steps(), 12U);
    EXPECT_GT(run.gflop(), 0);
    EXPECT_LT(done.reports.back().loss, 0.5 * done.reports.front().loss);
    EXPECT_EQ(done.reports.back().epoch, 5U);
    EXPECT_EQ(std::holds_alternative<train::Weights>(run.trained()), of.full);
  }
}

TEST_F(TrainingRunTest, GivesTheSameBytesOnAnyNumberOfThreads) {
  train::Team team(2);
  train::Gemm gemm(team);
  for (const Recipe& of : kinds()) {
    TrainingRun alone(gemm_, weights_, of, examples_);
    TrainingRun together(gemm, weights_, of, examples_);
    const Result a = finish(alone), b = finish(together);
    EXPECT_EQ(a.log, b.log);
    EXPECT_EQ(a.trained, b.trained);
  }
}

TEST_F(TrainingRunTest, GoesOnFromAnyCheckpointAsIfItHadNeverStopped) {
  for (const Recipe& of : kinds()) {
    TrainingRun whole(gemm_, weights_, of, examples_);
    const Result expected = finish(whole);
    for (const std::uint64_t stop : {0U, 1U, 4U, 11U}) {
      TrainingRun first(gemm_, weights_, of, examples_);
      while (first.step() < stop) ASSERT_TRUE(first.advance());
      const auto kept = decode_checkpoint(encode_checkpoint(first.checkpoint({})));
      ASSERT_TRUE(kept) << kept.error().message;
      TrainingRun second(gemm_, weights_, of, examples_);
      ASSERT_TRUE(second.restore(*kept));
      EXPECT_EQ(second.step(), stop);
      EXPECT_EQ(finish(second).trained, expected.trained) << "stopped after " << stop;
    }
  }
}

TEST_F(TrainingRunTest, WhoeverLearnsWithAllParametersLeavesTheBaseAsItWas) {
  Recipe of = recipe();
  of.full = true;
  of.weight_decay = 0.1;
  train::Weights before = weights_;
  TrainingRun run(gemm_, weights_, of, examples_);
  EXPECT_EQ(run.checkpoint({}).parameters.size(), train::size_of(before.spans()));
  finish(run);
  train::Weights base = weights_, trained = std::get<train::Weights>(run.trained());
  for (std::size_t i = 0; i < before.spans().size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(base.spans()[i], before.spans()[i])) << i;
    EXPECT_FALSE(std::ranges::equal(trained.spans()[i], before.spans()[i])) << i;
  }
}

TEST_F(TrainingRunTest, AnotherRunsCheckpointDoesNotFit) {
  const Recipe of = recipe();
  TrainingRun run(gemm_, weights_, of, examples_);
  Checkpoint kept = run.checkpoint({});
  kept.parameters.pop_back();
  EXPECT_EQ(run.restore(kept).error().code, ErrorCode::kCorrupt);
}

TEST_F(TrainingRunTest, MakesAsManyStepsAsAreAskedFor) {
  Recipe of = recipe();
  of.max_steps = 5;
  TrainingRun few(gemm_, weights_, of, examples_);
  EXPECT_EQ(few.steps(), 5U);
  EXPECT_EQ(finish(few).reports.size(), 5U);
  of.max_steps = 100;  // more than six passes
  TrainingRun many(gemm_, weights_, of, examples_);
  const Result done = finish(many);
  EXPECT_EQ(done.reports.size(), 100U);
  EXPECT_GT(done.reports.back().epoch, 6U);
  EXPECT_LT(done.reports.back().rate, of.learning_rate / 100);
}

TEST_F(TrainingRunTest, OnlyAnswersAreLearned) {
  Recipe of = recipe();
  of.max_steps = 1;
  std::vector<Example> other = examples_;
  for (Example& example : other)
    example.texts[0].prompt_tokens = example.texts[0].tokens.size() - 1;
  TrainingRun some(gemm_, weights_, of, other);
  TrainingRun all(gemm_, weights_, of, examples_);
  EXPECT_NE(some.advance()->loss, all.advance()->loss);
}

/// Answers marked good or bad, or pairs.
std::vector<Example> judged(Stage stage) {
  std::vector<Example> out = counting(8);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (stage == Stage::kKto) out[i].good = i % 2 == 0;
    if (stage == Stage::kDpo) {
      Text worse = out[i].texts[0];
      std::reverse(worse.tokens.begin() + 2, worse.tokens.end());
      out[i].texts.push_back(worse);
    }
  }
  return out;
}

TEST_F(TrainingRunTest, PreferencesAreLearnedToo) {
  train::Team team(2);
  train::Gemm gemm(team);
  for (const Stage stage : {Stage::kDpo, Stage::kKto})
    for (Recipe of : kinds()) {
      of.stage = stage;
      of.pref_beta = 0.5;
      const std::vector<Example> examples = judged(stage);
      TrainingRun run(gemm_, weights_, of, examples);
      const Result done = finish(run);
      EXPECT_LT(done.reports.back().loss, 0.8 * done.reports.front().loss)
          << (stage == Stage::kDpo ? "dpo" : "kto");
      TrainingRun again(gemm, weights_, of, examples);
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(again.advance());
      const auto kept = again.checkpoint({});
      TrainingRun resumed(gemm, weights_, of, examples);
      ASSERT_TRUE(resumed.restore(kept));
      EXPECT_EQ(finish(resumed).trained, done.trained) << "on two threads, and resumed";
    }
}

TEST_F(TrainingRunTest, ALossThatIsNoNumberStopsEveryStageAndChangesNothing) {
  train::Weights broken = weights_;
  broken.final_norm[3] = std::numeric_limits<float>::quiet_NaN();
  for (const Stage stage : {Stage::kSft, Stage::kDpo, Stage::kKto})
    for (Recipe of : kinds()) {
      of.stage = stage;
      const std::vector<Example> examples = judged(stage);
      TrainingRun run(gemm_, broken, of, examples);
      const Bytes before = encode_checkpoint(run.checkpoint({}));
      const auto report = run.advance();
      ASSERT_FALSE(report) << "stage " << static_cast<int>(stage);
      EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
      EXPECT_NE(report.error().message.find("loam1"), std::string::npos);
      EXPECT_EQ(encode_checkpoint(run.checkpoint({})), before);
      EXPECT_EQ(run.step(), 0U);
    }
}

/// A step over all examples, of which those with this token have no loss.
std::string error_of_step(train::Gemm& gemm, Recipe of, train::Token token) {
  train::Weights broken =
      toy_weights(toy_shape(), train::testing::Head::kOwn, train::testing::Bias::kNone);
  broken.embedding[token * broken.shape.width] = std::numeric_limits<float>::quiet_NaN();
  of.per_device_train_batch_size = 3;
  of.gradient_accumulation_steps = 8;
  const std::vector<Example> examples = judged(of.stage);
  TrainingRun run(gemm, broken, of, examples);
  const auto report = run.advance();
  return report ? "no error" : report.error().message;
}

TEST_F(TrainingRunTest, TheRecordsWhoseLossIsNoNumberAreNamedAndNoOthers) {
  for (const Stage stage : {Stage::kSft, Stage::kDpo, Stage::kKto}) {
    Recipe of = recipe();
    of.stage = stage;
    // Text i of counting() goes from i to at least i + 4, the longest from i to i + 7.
    EXPECT_TRUE(error_of_step(gemm_, of, 0).contains("the loss of loam10 is no number"))
        << error_of_step(gemm_, of, 0);
    const std::string many = error_of_step(gemm_, of, 4);
    EXPECT_TRUE(many.contains("the loss of")) << many;
    EXPECT_TRUE(many.contains(" ... is no number")) << many;
    for (const char* other : {"loam15", "loam16", "loam17"})
      EXPECT_FALSE(many.contains(other)) << many;
  }
}

}  // namespace
}  // namespace loam::tuning
