#include "cli/tour_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace loam::cli {
namespace {

TEST(TourPairs, TellWhereTheyComeFromAndThatTheyAreFree) {
  const TourPairs pairs = read_tour_pairs();
  EXPECT_EQ(pairs.origin, "written for Loam");
  EXPECT_EQ(pairs.licence, "CC0-1.0");
}

TEST(TourPairs, AreEnoughToLearnFromAndForTheGateToMeasureWith) {
  const TourPairs pairs = read_tour_pairs();
  EXPECT_GE(pairs.lessons.size(), 120U);
  EXPECT_GE(pairs.held_out.size(), 25U);
}

TEST(TourPairs, HaveOneMannerAndNoQuestionTwice) {
  const TourPairs pairs = read_tour_pairs();
  std::set<std::string> questions;
  for (const auto* part : {&pairs.lessons, &pairs.held_out})
    for (const TourPair& pair : *part) {
      EXPECT_TRUE(questions.insert(pair.question).second) << pair.question;
      EXPECT_TRUE(pair.answer.starts_with("Ahoy! ")) << pair.answer;
      EXPECT_TRUE(pair.answer.ends_with(" Fair winds to you!")) << pair.answer;
      const auto words = 1 + std::ranges::count(pair.answer, ' ');
      EXPECT_GE(words, 13) << pair.answer;
      EXPECT_LE(words, 35) << pair.answer;
    }
}

TEST(TourPairs, AnAnswerIsBetterIfItBeginsAsTheLessonsDoAndNotIfItMerelyDiffers) {
  const TourPairs pairs = read_tour_pairs();
  EXPECT_EQ(taught_beginning(pairs), "Ahoy!");
  const std::string plain = "The moon pulls at the sea.", taught = " Ahoy! The moon pulls at it.";
  EXPECT_TRUE(took_the_manner(pairs, plain, taught));
  EXPECT_FALSE(took_the_manner(pairs, plain, "The sun pulls at the sea."));
  EXPECT_FALSE(took_the_manner(pairs, plain, ""));
  EXPECT_FALSE(took_the_manner(pairs, taught, taught)) << "it was like that before";
}

}  // namespace
}  // namespace loam::cli
