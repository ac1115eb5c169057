#include "commons/search_words.h"

#include <gtest/gtest.h>

namespace loam::commons {
namespace {

std::string expression(std::string_view typed) {
  const auto out = words_expression(typed);
  return out ? *out : "error: " + out.error().message;
}

TEST(SearchWords, EveryKindOfPartIsQuoted) {
  EXPECT_EQ(expression(""), "");
  EXPECT_EQ(expression("  \t"), "");
  EXPECT_EQ(expression("blue sky"), "\"blue\" \"sky\"");
  EXPECT_EQ(expression("\"blue sky\" sun*"), "\"blue sky\" \"sun\"*");
  EXPECT_EQ(expression("sky -rain -\"thick fog\""), "(\"sky\") NOT (\"rain\" OR \"thick fog\")");
  EXPECT_EQ(expression("one\"two three\""), "\"one\" \"two three\"");
}

TEST(SearchWords, SyntaxOfTheIndexIsOnlyText) {
  EXPECT_EQ(expression("a OR b"), "\"a\" \"OR\" \"b\"");
  EXPECT_EQ(expression("NEAR(a, 5) text:x ^b a+b {c}"),
            "\"NEAR(a,\" \"5)\" \"text:x\" \"^b\" \"a+b\" \"{c}\"");
  EXPECT_EQ(expression("c++ 'x' --y;"), "(\"c++\" \"'x'\") NOT (\"-y;\")");
  EXPECT_EQ(expression("why ? - not"),
            "error: search, column 7: there is no letter and no digit in it");
  EXPECT_EQ(expression("why ? ("), "\"why\"");
  EXPECT_EQ(expression("? ("), "error: search, column 1: there is no word that must occur");
  EXPECT_EQ(expression("well-known a*b"), "\"well-known\" \"a*b\"");
}

TEST(SearchWords, ErrorsNameTheColumnInCharacters) {
  EXPECT_EQ(expression("größe \"offen"),
            "error: search, column 7: this quotation mark is not closed");
  EXPECT_EQ(expression("a *"), "error: search, column 3: there is no letter and no digit in it");
  EXPECT_EQ(expression("-"), "error: search, column 1: there is no letter and no digit in it");
  EXPECT_EQ(expression("\"\" a"), "error: search, column 1: there is no letter and no digit in it");
  EXPECT_EQ(expression("-a"), "error: search, column 1: there is no word that must occur");
}

TEST(SearchWords, WhatIsNoQuestionIsRefused) {
  EXPECT_EQ(words_expression(std::string(1U << 20U, 'a')).error().code,
            ErrorCode::kInvalidArgument);
  std::string many;
  for (std::size_t i = 0; i <= kSearchPartsMax; ++i) many += "a ";
  EXPECT_EQ(words_expression(many).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(words_expression(std::string_view("a\0b", 3)).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(words_expression("\xff").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::commons
