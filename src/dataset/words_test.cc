#include "dataset/words.h"

#include <gtest/gtest.h>

namespace loam::dataset {
namespace {

using Words = std::vector<std::u32string>;

TEST(Words, AreLowerCaseRunsOfLettersAndDigits) {
  EXPECT_EQ(words_of("Hello, World! 42x—Ok"), (Words{U"hello", U"world", U"42x", U"ok"}));
  EXPECT_EQ(words_of("ÀÉ Ÿ ŁÓDŹ ΑΘΉΝΑ МОСКВА Ёж"),
            (Words{U"àé", U"ÿ", U"łódź", U"αθήνα", U"москва", U"ёж"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of("  \t\n…  🙂 "), Words{});
}

TEST(Words, AreSingleSignsWhereAScriptHasNoSpaces) {
  EXPECT_EQ(words_of("東京abc。大"), (Words{U"東", U"京", U"abc", U"大"}));
}

TEST(Words, AreFoundInARow) {
  const Words text = words_of("the quick brown fox");
  EXPECT_TRUE(contains_phrase(text, words_of("Quick brown")));
  EXPECT_FALSE(contains_phrase(text, words_of("brown quick")));
  EXPECT_TRUE(contains_phrase(text, {}));
}

}  // namespace
}  // namespace loam::dataset
