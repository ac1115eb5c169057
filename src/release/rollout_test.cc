#include "release/rollout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace loam::release {
namespace {

Rollout in(Stage stage, Votes before = {}) {
  Rollout out;
  out.stage = stage;
  out.before = before;
  return out;
}

/// What follows the last of so many votes on the new adapter, none before having had a consequence.
Step after_votes(Rollout& rollout, int count, bool is_down) {
  for (int i = 1; i < count; ++i) EXPECT_EQ(count_vote(rollout, true, is_down), Step::kStay) << i;
  return count_vote(rollout, true, is_down);
}

TEST(Rollout, TwentyUnheardAnswersLeadToAShare) {
  Rollout rollout = in(Stage::kShadow);
  for (int i = 1; i < 20; ++i) EXPECT_EQ(count_answer(rollout, i <= 2), Step::kStay);
  EXPECT_EQ(count_answer(rollout, false), Step::kShare);
}

TEST(Rollout, TheThirdFaultInTheShadowEndsIt) {
  Rollout rollout = in(Stage::kShadow);
  EXPECT_EQ(count_answer(rollout, true), Step::kStay);
  EXPECT_EQ(count_answer(rollout, true), Step::kStay);
  EXPECT_EQ(count_answer(rollout, true), Step::kRollBack);
}

TEST(Rollout, ThreeThumbsDownOfANewOneAreEnough) {
  Rollout rollout = in(Stage::kShare);
  EXPECT_EQ(after_votes(rollout, 3, true), Step::kRollBack);
}

TEST(Rollout, TwelveThumbsUpLeadToAll) {
  Rollout rollout = in(Stage::kShare);
  EXPECT_EQ(after_votes(rollout, 12, false), Step::kAll);
}

TEST(Rollout, WherePeopleDislikeMuchAnywayItTakesMoreToBeWorse) {
  Rollout rollout = in(Stage::kShare, {.up = 10, .down = 10});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(count_vote(rollout, true, true), Step::kStay) << i;
}

TEST(Rollout, WithoutVotesAShareEndsAfterTwoHundredAnswers) {
  Rollout rollout = in(Stage::kShare);
  for (int i = 1; i < 200; ++i) EXPECT_EQ(count_answer(rollout, false), Step::kStay);
  EXPECT_EQ(count_answer(rollout, false), Step::kAll);
}

TEST(Rollout, AShareDoesNotEndWhileVotesAreAgainstIt) {
  Rollout rollout = in(Stage::kShare);
  EXPECT_EQ(count_vote(rollout, true, true), Step::kStay);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(count_answer(rollout, false), Step::kStay);
}

TEST(Rollout, OneThatWasLikedForLongIsStillRolledBackWhenItTurns) {
  Rollout rollout = in(Stage::kAll);
  EXPECT_EQ(after_votes(rollout, 500, false), Step::kStay);
  EXPECT_EQ(after_votes(rollout, 5, true), Step::kRollBack);
}

TEST(Rollout, VotesOnTheOneBeforeOnlySayWhatIsUsual) {
  Rollout rollout = in(Stage::kShare);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(count_vote(rollout, false, true), Step::kStay);
  EXPECT_EQ(rollout.before, (Votes{.up = 0, .down = 50}));
  EXPECT_EQ(rollout.votes, Votes{});
}

TEST(Rollout, ThreeAnswersThatFailEndAShare) {
  Rollout rollout = in(Stage::kShare);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(count_answer(rollout, false), Step::kStay);
  EXPECT_EQ(count_failure(rollout, true), Step::kStay);
  EXPECT_EQ(count_failure(rollout, true), Step::kStay);
  EXPECT_EQ(count_failure(rollout, true), Step::kRollBack);
  EXPECT_EQ(rollout.faults, 3U);
  EXPECT_EQ(rollout.answers, 33U);
}

TEST(Rollout, WhereTheOneBeforeFailsTooItTakesMore) {
  Rollout rollout = in(Stage::kShare);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(count_failure(rollout, false), Step::kStay);
  EXPECT_EQ(rollout.faults, 0U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(count_failure(rollout, true), Step::kStay);
}

TEST(Rollout, AfterItsTrialFailuresDoNotAddUp) {
  Rollout rollout = in(Stage::kAll);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(count_failure(rollout, true), Step::kStay);
  EXPECT_EQ(rollout.votes, Votes{});
}

TEST(Rollout, OnlyWhatIsWrongWithTheAnswererIsAFailedAnswer) {
  EXPECT_TRUE(is_failed_answer(ErrorCode::kUnavailable));
  EXPECT_TRUE(is_failed_answer(ErrorCode::kInternal));
  for (const ErrorCode code : {ErrorCode::kResourceExhausted, ErrorCode::kInvalidArgument,
                               ErrorCode::kCancelled, ErrorCode::kDeadlineExceeded})
    EXPECT_FALSE(is_failed_answer(code)) << error_code_name(code);
}

TEST(Rollout, ANewStageBeginsItsTestAnewAndKeepsTheVotes) {
  Rollout rollout = in(Stage::kShare);
  count_vote(rollout, true, true);
  count_answer(rollout, false);
  const Rollout next = in_stage(rollout, Stage::kAll);
  EXPECT_EQ(next.votes, (Votes{.up = 0, .down = 1}));
  EXPECT_EQ(next.answers, 0U);
  EXPECT_EQ(next.score, 0);
}

TEST(Rollout, StagesHaveNames) {
  for (const Stage stage : {Stage::kShadow, Stage::kShare, Stage::kAll})
    EXPECT_EQ(parse_stage(stage_name(stage)), stage);
  EXPECT_FALSE(parse_stage("none"));
}

RC_GTEST_PROP(Votes, AThumbDownNeverSpeaksForAnAdapter, ()) {
  const Votes before{.up = *rc::gen::inRange<std::uint64_t>(0, 1000),
                     .down = *rc::gen::inRange<std::uint64_t>(0, 1000)};
  const double usual = usual_rate(before);
  RC_ASSERT(usual >= 0.05 && usual <= 0.5);
  RC_ASSERT(vote_weight(usual, true) > 0);
  RC_ASSERT(vote_weight(usual, false) < 0);
}

/// Of 1,000 adapters that are as good as the one before, Wald's bound lets 53 be rolled back.
TEST(Votes, OfAdaptersThatAreNotWorseFewAreRolledBack) {
  std::uint64_t state = 7;
  const auto draw = [&state] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11U) / static_cast<double>(1ULL << 53U);
  };
  int rolled_back = 0;
  for (int i = 0; i < 1000; ++i) {
    Rollout rollout = in(Stage::kShare, {.up = 890, .down = 100});
    for (Step step = Step::kStay; step == Step::kStay;) {
      step = count_vote(rollout, true, draw() < 0.1);
      rolled_back += step == Step::kRollBack ? 1 : 0;
    }
  }
  EXPECT_GT(rolled_back, 0);
  EXPECT_LE(rolled_back, 53);
}

}  // namespace
}  // namespace loam::release
