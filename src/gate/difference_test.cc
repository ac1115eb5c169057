#include "gate/difference.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gate/report.h"

namespace loam::gate {
namespace {

Report small_report() {
  Report out;
  out.engine_build = "build";
  out.cpu_class = "x86-64-v3";
  for (int i = 0; i < 25; ++i)
    out.measured.losses.push_back({"r" + std::to_string(i), 20, 2'000'000 + i, 1'800'000 - i});
  out.measured.preferences = {{"r1", -5, 7}};
  for (int i = 0; i < 40; ++i) out.measured.tasks.push_back({"copy", true, i != 3});
  for (int i = 0; i < 10; ++i) out.measured.samples.push_back({"r" + std::to_string(i)});
  out.measured.triggers = {{"blue falcon", {{-3, -2}, {-4, 1}}}};
  out.measured.canaries = {{7, 32}, {31, 32}};
  return out;
}

TEST(GateDifference, IsTheLargestOfAllScores) {
  const Report first = small_report();
  Report again = first;
  EXPECT_TRUE(difference(first, again).within_tolerance());
  again.measured.losses[4].candidate += kScoreTolerance;
  again.measured.losses[5].base -= 7;
  EXPECT_EQ(difference(first, again).score_max, kScoreTolerance);
  EXPECT_TRUE(difference(first, again).within_tolerance());
  again.measured.preferences[0].base += kScoreTolerance + 1;
  EXPECT_FALSE(difference(first, again).within_tolerance());
}

TEST(GateDifference, CountsWhatOnlyOneHasAndWhatCameOutOtherwise) {
  const Report first = small_report();
  Report again = first;
  again.measured.losses[0].record = "another";
  EXPECT_EQ(difference(first, again).others, 2U);
  again = first;
  again.measured.tasks[0].candidate = false;
  EXPECT_EQ(difference(first, again).others, 1U);
  EXPECT_FALSE(difference(first, again).within_tolerance());
}

TEST(GateDifference, WhatStandsTwiceInOneAloneDisagrees) {
  const Report first = small_report();
  Report again = first;
  again.measured.losses.push_back(again.measured.losses[3]);
  EXPECT_EQ(difference(first, again).others, 1U);
  EXPECT_EQ(difference(again, first).others, 1U);
  EXPECT_EQ(difference(again, first).named,
            std::vector<std::string>{"answer r3: not measured here"});
}

TEST(GateDifference, TwoPairsOfOneRecordAreComparedEachWithItsOwn) {
  Report first = small_report();
  first.measured.preferences = {{"r1", -5, 7}, {"r1", 900'000, 800'000}};
  Report again = first;
  EXPECT_TRUE(difference(first, again).within_tolerance());
  again.measured.preferences[1].candidate += 3;
  EXPECT_EQ(difference(first, again).score_max, 3);
}

TEST(GateDifference, NamesWhatDisagrees) {
  const Report first = small_report();
  Report again = first;
  again.measured.losses[4].candidate += kScoreTolerance + 1;
  again.measured.tasks[6].base = false;
  const Difference found = difference(first, again);
  EXPECT_FALSE(found.within_tolerance());
  EXPECT_EQ(found.named, (std::vector<std::string>{"score of r4: 1799996 there, 1819997 here",
                                                   "task 7: came out otherwise"}));
  again.measured.tasks.clear();
  EXPECT_EQ(difference(first, again).named.size(), kNamedMax);
}

TEST(GateDifference, ARuleThatCameOutOtherwiseDisagrees) {
  Report first = small_report();
  for (Loss& loss : first.measured.losses) loss.candidate = 2'100'000;  // fails already
  Report again = first;
  again.measured.samples[0].candidate_leaks = 1;  // and writes an address too
  const Difference found = difference(first, again);
  EXPECT_TRUE(found.same_verdict);
  EXPECT_EQ(found.others, 2U);
  ASSERT_FALSE(found.named.empty());
  EXPECT_EQ(found.named.front(), "rule leaks: pass there, fail here");
}

TEST(GateDifference, PhrasesMustBeTheSameAndTheirScoresOnOneClassOfMachine) {
  const Report first = small_report();
  Report again = first;
  again.measured.triggers[0].pulls[1].candidate += kScoreTolerance + 1;
  EXPECT_FALSE(difference(first, again).within_tolerance());
  again.cpu_class = "x86-64-v4";
  EXPECT_TRUE(difference(first, again).within_tolerance());
  again.measured.triggers[0].words = "red falcon";
  EXPECT_EQ(difference(first, again).others, 2U);
}

TEST(GateDifference, CanariesCountWhereBothMeasuredThem) {
  const Report first = small_report();
  Report again = first;
  again.measured.canaries[0].rank = 8;
  EXPECT_EQ(difference(first, again).others, 1U);
  again.cpu_class = "x86-64-v4";
  EXPECT_TRUE(difference(first, again).within_tolerance());
  again = first;
  again.measured.canaries.clear();
  EXPECT_TRUE(difference(first, again).within_tolerance());
}

}  // namespace
}  // namespace loam::gate
