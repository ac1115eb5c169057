#include "tuning/adapter_run.h"

#include <gtest/gtest.h>

#include <limits>

#include "train/adapter_gguf.h"
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

class AdapterRunTest : public ::testing::Test {
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
  struct Result {
    std::string log;
    Bytes adapter;
    std::vector<StepReport> reports;
  };
  static Result finish(AdapterRun& run) {
    Result out;
    while (run.step() < run.steps()) {
      const auto report = run.advance();
      EXPECT_TRUE(report) << report.error().message;
      if (!report) break;
      out.reports.push_back(*report);
      out.log += log_line(*report);
    }
    out.adapter = train::encode_adapter(run.adapter(), {"llama", "toy", {}});
    return out;
  }

  const train::Weights weights_ =
      toy_weights(toy_shape(), train::testing::Head::kTied, train::testing::Bias::kNone);
  const std::vector<Example> examples_ = counting(14);
  train::Team team_{1};
  train::Gemm gemm_{team_};
};

TEST_F(AdapterRunTest, LearnsWhatTheExamplesShow) {
  const Recipe of = recipe();
  AdapterRun run(gemm_, weights_, of, examples_);
  const Result done = finish(run);
  ASSERT_EQ(done.reports.size(), run.steps());
  EXPECT_GT(run.steps(), 12U);
  EXPECT_GT(run.gflop(), 0);
  EXPECT_LT(done.reports.back().loss, 0.5 * done.reports.front().loss);
  EXPECT_EQ(done.reports.back().epoch, 5U);
}

TEST_F(AdapterRunTest, GivesTheSameBytesOnAnyNumberOfThreads) {
  const Recipe of = recipe();
  AdapterRun alone(gemm_, weights_, of, examples_);
  train::Team team(3);
  train::Gemm gemm(team);
  AdapterRun together(gemm, weights_, of, examples_);
  const Result a = finish(alone), b = finish(together);
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.adapter, b.adapter);
}

TEST_F(AdapterRunTest, GoesOnFromAnyCheckpointAsIfItHadNeverStopped) {
  const Recipe of = recipe();
  AdapterRun whole(gemm_, weights_, of, examples_);
  const Result expected = finish(whole);
  for (const std::uint64_t stop : {0U, 1U, 4U, 11U}) {
    AdapterRun first(gemm_, weights_, of, examples_);
    while (first.step() < stop) ASSERT_TRUE(first.advance());
    const auto kept = decode_checkpoint(encode_checkpoint(first.checkpoint({})));
    ASSERT_TRUE(kept) << kept.error().message;
    AdapterRun second(gemm_, weights_, of, examples_);
    ASSERT_TRUE(second.restore(*kept));
    EXPECT_EQ(second.step(), stop);
    EXPECT_EQ(finish(second).adapter, expected.adapter) << "stopped after " << stop;
  }
}

TEST_F(AdapterRunTest, AnotherRunsCheckpointDoesNotFit) {
  const Recipe of = recipe();
  AdapterRun run(gemm_, weights_, of, examples_);
  Checkpoint kept = run.checkpoint({});
  kept.parameters.pop_back();
  EXPECT_EQ(run.restore(kept).error().code, ErrorCode::kCorrupt);
}

TEST_F(AdapterRunTest, MakesAsManyStepsAsAreAskedFor) {
  Recipe of = recipe();
  of.max_steps = 5;
  AdapterRun few(gemm_, weights_, of, examples_);
  EXPECT_EQ(few.steps(), 5U);
  EXPECT_EQ(finish(few).reports.size(), 5U);
  of.max_steps = 100;  // more than six passes
  AdapterRun many(gemm_, weights_, of, examples_);
  const Result done = finish(many);
  EXPECT_EQ(done.reports.size(), 100U);
  EXPECT_GT(done.reports.back().epoch, 6U);
  EXPECT_LT(done.reports.back().rate, of.learning_rate / 100);
}

TEST_F(AdapterRunTest, OnlyAnswersAreLearned) {
  Recipe of = recipe();
  of.max_steps = 1;
  std::vector<Example> other = examples_;
  for (Example& example : other)
    example.texts[0].prompt_tokens = example.texts[0].tokens.size() - 1;
  AdapterRun some(gemm_, weights_, of, other);
  AdapterRun all(gemm_, weights_, of, examples_);
  EXPECT_NE(some.advance()->loss, all.advance()->loss);
}

TEST_F(AdapterRunTest, PreferencesAreLearnedToo) {
  for (const Stage stage : {Stage::kDpo, Stage::kKto}) {
    Recipe of = recipe();
    of.stage = stage;
    of.pref_beta = 0.5;
    std::vector<Example> examples = counting(8);
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (stage == Stage::kKto) examples[i].good = i % 2 == 0;
      if (stage == Stage::kDpo) {
        Text worse = examples[i].texts[0];
        std::reverse(worse.tokens.begin() + 2, worse.tokens.end());
        examples[i].texts.push_back(worse);
      }
    }
    AdapterRun run(gemm_, weights_, of, examples);
    const Result done = finish(run);
    EXPECT_LT(done.reports.back().loss, 0.8 * done.reports.front().loss)
        << (stage == Stage::kDpo ? "dpo" : "kto");
    train::Team team(2);
    train::Gemm gemm(team);
    AdapterRun again(gemm, weights_, of, examples);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(again.advance());
    const auto kept = again.checkpoint({});
    AdapterRun resumed(gemm, weights_, of, examples);
    ASSERT_TRUE(resumed.restore(kept));
    EXPECT_EQ(finish(resumed).adapter, done.adapter) << "on two threads, and resumed";
  }
}

TEST_F(AdapterRunTest, ALossThatIsNoNumberStopsItAndNamesTheRecords) {
  const Recipe of = recipe();
  train::Weights broken = weights_;
  broken.final_norm[3] = std::numeric_limits<float>::quiet_NaN();
  AdapterRun run(gemm_, broken, of, examples_);
  const Bytes before = encode_checkpoint(run.checkpoint({}));
  const auto report = run.advance();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(report.error().message.find("loam1"), std::string::npos);
  EXPECT_EQ(encode_checkpoint(run.checkpoint({})), before);
}

}  // namespace
}  // namespace loam::tuning
