#include "dataset/duplicates.h"

#include <gtest/gtest.h>

#include "dataset/words.h"

namespace loam::dataset {
namespace {

std::string story(int first, int words) {
  std::string out;
  for (int i = first; i < first + words; ++i) out += "word" + std::to_string(i * i % 977) + " ";
  return out;
}

std::vector<std::size_t> groups(const std::vector<std::string>& texts) {
  std::vector<Signature> signatures;
  for (const std::string& text : texts) signatures.push_back(signature_of(words_of(text)));
  return group_duplicates(signatures);
}

TEST(Duplicates, TextsThatDifferInAWordOrInCaseBelongTogether) {
  EXPECT_EQ(groups({story(0, 200), "Other! " + story(0, 200), story(500, 200)}),
            (std::vector<std::size_t>{0, 0, 2}));
  EXPECT_EQ(groups({"What is the capital of France?", "what is the CAPITAL of france"}),
            (std::vector<std::size_t>{0, 0}));
}

TEST(Duplicates, TextsThatShareHalfDoNot) {
  EXPECT_EQ(groups({story(0, 100), story(50, 100), "What is the capital of France?",
                    "What is the capital of Germany?"}),
            (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(Duplicates, AreFoundWhateverTheOrder) {
  const std::string a = story(0, 120), b = story(0, 119), c = story(0, 121);
  EXPECT_EQ(groups({a, b, c}), (std::vector<std::size_t>{0, 0, 0}));
  EXPECT_EQ(groups({c, a, b}), (std::vector<std::size_t>{0, 0, 0}));
}

TEST(Duplicates, EmptyTextsAreEqual) {
  EXPECT_EQ(groups({"", "…"}), (std::vector<std::size_t>{0, 0}));
}

/// The hash functions are a part of the format: another value means another data set.
TEST(Duplicates, SignaturesAreThoseOfTheFormat) {
  const Signature signature = signature_of(words_of("A signature of the format, version one."));
  std::uint64_t sum = 0;
  for (const std::uint32_t value : signature) sum = sum * 31 + value;
  EXPECT_EQ(sum, 12562530647300501273U);
}

}  // namespace
}  // namespace loam::dataset
