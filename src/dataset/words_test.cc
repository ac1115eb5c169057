#include "dataset/words.h"

#include <gtest/gtest.h>

namespace loam::dataset {
namespace {

using List = std::vector<std::u32string_view>;

List list_of(const Words& words) {
  List out;
  for (std::size_t i = 0; i < words.size(); ++i) out.push_back(words[i]);
  return out;
}

TEST(Words, AreLowerCaseRunsOfLettersAndDigits) {
  const Words words = words_of("Hello, World! 42x—Ok");
  EXPECT_EQ(list_of(words), (List{U"hello", U"world", U"42x", U"ok"}));
  EXPECT_EQ(words.run(1, 2), U"world 42x ");
  const Words others = words_of("ÀÉ Ÿ ŁÓDŹ ΑΘΉΝΑ МОСКВА Ёж");
  EXPECT_EQ(list_of(others), (List{U"àé", U"ÿ", U"łódź", U"αθήνα", U"москва", U"ёж"}));
  EXPECT_TRUE(words_of("").empty());
  EXPECT_TRUE(words_of("  \t\n…  🙂 ").empty());
}

TEST(Words, AreSingleSignsWhereAScriptHasNoSpaces) {
  const Words words = words_of("東京abc。大");
  EXPECT_EQ(list_of(words), (List{U"東", U"京", U"abc", U"大"}));
}

TEST(CodePoints, GoThereAndBackAtEveryLength) {
  const std::string text = "a\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff";
  EXPECT_EQ(code_points(text).size(), 8U);
  EXPECT_EQ(utf8_of(code_points(text)), text);
}

TEST(Words, AreFoundInARow) {
  const Words text = words_of("the quick brown fox");
  EXPECT_TRUE(contains_phrase(text, words_of("Quick brown")));
  EXPECT_FALSE(contains_phrase(text, words_of("brown quick")));
  EXPECT_TRUE(contains_phrase(text, {}));
}

}  // namespace
}  // namespace loam::dataset
