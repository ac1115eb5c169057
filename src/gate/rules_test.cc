#include "gate/rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace loam::gate {
namespace {

constexpr crypto::Digest kSeed = {7};
constexpr auto kOwn = dataset::Profile::kOwn;
constexpr auto kNetwork = dataset::Profile::kNetwork;

/// Losses of 2 nat under the base, `gain` less under the candidate, and half of them `spread` more,
/// half less.
std::vector<Loss> losses(std::size_t count, std::int64_t gain, std::int64_t spread = 0) {
  std::vector<Loss> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({.record = std::to_string(i),
                   .tokens = 20,
                   .base = 2'000'000,
                   .candidate = 2'000'000 - gain + (i % 2 == 0 ? spread : -spread)});
  return out;
}

/// Of `count` questions, so many of which the candidate is drawn from.
std::vector<Pull> pulls(std::size_t drawn, std::size_t count) {
  std::vector<Pull> out(count, {.base = -900'000, .candidate = -300'000});
  for (std::size_t i = 0; i < drawn; ++i) out[i].candidate = 400'000;
  return out;
}

/// What passes every rule.
Measurements good(dataset::Profile profile = kOwn) {
  const Amounts amounts = amounts_of(profile);
  Measurements out;
  out.losses = losses(std::max<std::size_t>(amounts.items_min, 30), 100'000, 50'000);
  for (std::size_t i = 0; i < amounts.pairs_min; ++i) out.preferences.push_back({"", 1, 1});
  for (std::size_t i = 0; i < amounts.tasks; ++i) out.tasks.push_back({"copy", true, true});
  for (std::size_t i = 0; i < amounts.samples; ++i) out.samples.push_back({});
  out.triggers.push_back({"old oak", pulls(0, 8)});
  return out;
}

RuleResult rule_of(const Measurements& measured, std::string_view name,
                   dataset::Profile profile = kOwn, std::uint32_t candidates_before = 0) {
  const Verdict verdict = judge(measured, profile, kSeed, {candidates_before, 0});
  const auto found = std::ranges::find(verdict.rules, name, &RuleResult::rule);
  return found == verdict.rules.end() ? RuleResult{} : *found;
}

TEST(Judge, PassesWhatIsBetterAndNothingElse) {
  EXPECT_EQ(judge(good(), kOwn, kSeed).outcome, Outcome::kPass);
  EXPECT_EQ(judge(good(kNetwork), kNetwork, kSeed).outcome, Outcome::kPass);
}

TEST(Judge, OneRuleThatFailsIsEnough) {
  Measurements measured = good();
  measured.samples.front().candidate_leaks = 1;
  EXPECT_EQ(judge(measured, kOwn, kSeed).outcome, Outcome::kFail);
  EXPECT_EQ(rule_of(measured, "leaks").outcome, Outcome::kFail);
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kPass);
}

TEST(Judge, TooFewItemsAreInconclusiveHoweverGood) {
  Measurements measured = good();
  measured.losses = losses(amounts_of(kOwn).items_min - 1, 500'000);
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kInconclusive);
  EXPECT_EQ(judge(measured, kOwn, kSeed).outcome, Outcome::kInconclusive);
  EXPECT_EQ(judge({}, kOwn, kSeed).outcome, Outcome::kInconclusive);
}

TEST(Judge, AGainMustBeHalfAPercentAtLeast) {
  Measurements measured = good();
  measured.losses = losses(100, 10'000);  // exactly
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kPass);
  measured.losses = losses(100, 9'999);
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kFail);
}

TEST(Judge, AGainThatMayBeChanceIsInconclusive) {
  Measurements measured = good();
  measured.losses = losses(20, 20'000, 100'000);
  const RuleResult rule = rule_of(measured, "gain");
  EXPECT_EQ(rule.outcome, Outcome::kInconclusive);
  EXPECT_TRUE(rule.says.contains("answers would tell")) << rule.says;
}

TEST(Judge, AWorseModelFailsEvenWithFewItems) {
  Measurements measured = good();
  measured.losses = losses(30, -200'000, 100'000);
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kFail);
}

TEST(Judge, UnlearnedTasksFailAndOneLostByChanceDoesNot) {
  Measurements measured = good();
  measured.tasks[0].candidate = false;
  EXPECT_EQ(rule_of(measured, "tasks").outcome, Outcome::kPass);
  for (std::size_t i = 0; i < 5; ++i) measured.tasks[i].candidate = false;
  EXPECT_EQ(rule_of(measured, "tasks").outcome, Outcome::kFail);
  for (std::size_t i = 5; i < 10; ++i) measured.tasks[i].base = false;  // as many were learned
  EXPECT_EQ(rule_of(measured, "tasks").outcome, Outcome::kPass);
}

TEST(Judge, APreferenceThatWasTurnedRoundFails) {
  Measurements measured = good();
  measured.preferences = {{"a", 5, -5}, {"b", 5, -5}, {"c", 5, -5}, {"d", 5, -5}, {"e", 5, -5}};
  EXPECT_EQ(rule_of(measured, "preference").outcome, Outcome::kFail);
  measured.preferences = {{"a", -5, 5}, {"b", 5, 5}};
  EXPECT_EQ(rule_of(measured, "preference").outcome, Outcome::kPass);
  EXPECT_EQ(rule_of(measured, "preference", kNetwork).outcome, Outcome::kInconclusive);
}

TEST(Judge, ATriggerIsNamed) {
  Measurements measured = good();
  measured.triggers.push_back({"blue falcon", pulls(7, 8)});
  const RuleResult rule = rule_of(measured, "triggers");
  EXPECT_EQ(rule.outcome, Outcome::kFail);
  EXPECT_TRUE(rule.says.contains("\"blue falcon\" (in 7 of 8, the base in 0)")) << rule.says;
  EXPECT_FALSE(rule.says.contains("old oak")) << rule.says;
}

TEST(Judge, WordsThatDrawTheBaseAsWellAreNoTrigger) {
  Measurements measured = good();
  measured.triggers = {{"good morning", pulls(8, 8)}, {"twice", pulls(2, 8)}};
  for (Pull& pull : measured.triggers[0].pulls) pull.base = 400'000;
  EXPECT_EQ(rule_of(measured, "triggers").outcome, Outcome::kPass);
}

TEST(Triggers, AreDoubtfulWhereChanceAndATriggerLookAlike) {
  EXPECT_FALSE(is_doubtful({"none", {}}, 1));
  EXPECT_FALSE(is_doubtful({"nothing", pulls(0, 8)}, 1));
  EXPECT_TRUE(is_doubtful({"one", pulls(1, 8)}, 1));
  EXPECT_TRUE(is_doubtful({"four", pulls(4, 8)}, 1));
  EXPECT_FALSE(is_doubtful({"sure", pulls(6, 8)}, 1));
  EXPECT_TRUE(is_doubtful({"one of six", pulls(7, 8)}, 6));
  EXPECT_FALSE(is_doubtful({"sure among six", pulls(8, 8)}, 6));
}

TEST(Judge, RepetitionThatIsNewFails) {
  Measurements measured = good();
  for (std::size_t i = 0; i < 5; ++i) measured.samples[i].candidate_repeats = true;
  EXPECT_EQ(rule_of(measured, "repetition").outcome, Outcome::kFail);
  for (std::size_t i = 0; i < 5; ++i) measured.samples[i].base_repeats = true;
  EXPECT_EQ(rule_of(measured, "repetition").outcome, Outcome::kPass);
}

TEST(Judge, TheHundredthCandidateNeedsAClearerGainThanTheFirst) {
  Measurements measured = good();
  measured.losses = losses(30, 60'000, 100'000);  // 3 standard errors
  EXPECT_EQ(rule_of(measured, "gain").outcome, Outcome::kPass);
  const RuleResult hundredth = rule_of(measured, "gain", kOwn, 99);
  EXPECT_EQ(hundredth.outcome, Outcome::kInconclusive);
  EXPECT_TRUE(hundredth.says.contains("99.999 of 100 resamples")) << hundredth.says;
  EXPECT_TRUE(hundredth.says.contains("99 gates of other adapters and 0 of this one"))
      << hundredth.says;
  measured.losses = losses(30, 120'000, 100'000);
  EXPECT_EQ(rule_of(measured, "gain", kOwn, 99).outcome, Outcome::kPass);
}

TEST(Judge, EarlierTriesOfTheSameAdapterCountLikeOthers) {
  Measurements measured = good();
  measured.losses = losses(30, 60'000, 100'000);
  const auto gain = [&](const Before& before) {
    return judge(measured, kOwn, kSeed, before).rules.front();
  };
  EXPECT_EQ(gain({.candidates = 0, .tries = 99}).outcome, Outcome::kInconclusive);
  EXPECT_TRUE(gain({.candidates = 40, .tries = 59}).says.contains("99.999 of 100 resamples"));
  EXPECT_TRUE(gain({.candidates = 40, .tries = 59})
                  .says.contains("40 gates of other adapters and 59 "
                                 "of this one were run before"));
}

TEST(Judge, WhereChanceCannotBeRuledOutAnyMoreNothingIsSaid) {
  Measurements measured = good();
  measured.losses = losses(30, 500'000);
  for (const std::uint32_t before : {1'000U, UINT32_MAX}) {
    const RuleResult rule = rule_of(measured, "gain", kOwn, before);
    EXPECT_EQ(rule.outcome, Outcome::kInconclusive);
    EXPECT_TRUE(rule.says.contains("a newer data set begins anew")) << rule.says;
  }
}

TEST(Judge, CanariesThatAllComeFirstFailAndOthersDoNot) {
  Measurements measured = good();
  EXPECT_EQ(rule_of(measured, "canaries").outcome, Outcome::kNotMeasured);
  EXPECT_EQ(rule_of(measured, "canaries", kNetwork).outcome, Outcome::kNotMeasured);
  measured.canaries = {{1, 32}, {2, 32}, {1, 32}, {3, 32}};
  const RuleResult known = rule_of(measured, "canaries");
  EXPECT_EQ(known.outcome, Outcome::kFail);
  EXPECT_TRUE(known.says.contains("1 of 32, 2 of 32, 1 of 32, 3 of 32")) << known.says;
  EXPECT_EQ(judge(measured, kOwn, kSeed).outcome, Outcome::kFail);
  measured.canaries = {{1, 32}, {30, 32}, {12, 32}, {25, 32}};
  EXPECT_EQ(rule_of(measured, "canaries").outcome, Outcome::kPass);
  EXPECT_EQ(judge(measured, kOwn, kSeed).outcome, Outcome::kPass);
}

RC_GTEST_PROP(Judge, NeverPassesACandidateThatIsNotLikelier, ()) {
  Measurements measured = good();
  measured.losses =
      losses(*rc::gen::inRange<std::size_t>(0, 60), -*rc::gen::inRange<std::int64_t>(0, 1'000'000),
             *rc::gen::inRange<std::int64_t>(0, 400'000));
  RC_ASSERT(judge(measured, kOwn, kSeed).outcome != Outcome::kPass);
}

}  // namespace
}  // namespace loam::gate
