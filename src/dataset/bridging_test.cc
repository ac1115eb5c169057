#include "dataset/bridging.h"

#include <gtest/gtest.h>

namespace loam::dataset {
namespace {

/// Voters 0 to 4 are of one camp, 5 to 9 of the other; items 0 to 3 please the first, 4 to 7 the
/// second, item 8 pleases all and item 9 nobody.
std::vector<Ballot> two_camps() {
  std::vector<Ballot> out;
  for (std::uint32_t voter = 0; voter < 10; ++voter)
    for (std::uint32_t item = 0; item < 10; ++item) {
      const bool pleased = item == 8 || (item != 9 && (item < 4) == (voter < 5));
      out.push_back({voter, item, pleased ? 1 : -1});
    }
  return out;
}

TEST(Bridging, WhatBothCampsLikeScoresHigherThanWhatOneDoes) {
  const auto scores = bridge(two_camps(), 10, 10);
  EXPECT_GE(scores[8].intercept_ppm, 400'000);
  EXPECT_LE(scores[9].intercept_ppm, -400'000);
  for (std::uint32_t item = 0; item < 8; ++item)
    EXPECT_LT(std::abs(scores[item].intercept_ppm), 300'000) << item;
  for (const ItemScore& score : scores) EXPECT_TRUE(score.both_sides);
}

TEST(Bridging, ACampAloneHasNoOtherSide) {
  std::vector<Ballot> ballots = two_camps();
  std::erase_if(ballots,
                [](const Ballot& ballot) { return ballot.item == 0 && ballot.voter >= 5; });
  EXPECT_FALSE(bridge(ballots, 10, 10)[0].both_sides);
}

TEST(Bridging, NothingComesOfNothing) {
  EXPECT_TRUE(bridge({}, 0, 0).empty());
  EXPECT_EQ(bridge({}, 1, 1)[0].intercept_ppm, 0);
}

/// Whole numbers in a fixed order: another value means another data set.
TEST(Bridging, ScoresAreThoseOfTheFormat) {
  std::vector<Ballot> ballots = two_camps();
  std::erase_if(ballots,
                [](const Ballot& ballot) { return (ballot.voter * 7 + ballot.item * 3) % 4 == 0; });
  std::int64_t sum = 0;
  for (const ItemScore& score : bridge(ballots, 10, 10))
    sum = sum * 31 % 1'000'003 + score.intercept_ppm;
  EXPECT_EQ(sum, -27199);
}

}  // namespace
}  // namespace loam::dataset
