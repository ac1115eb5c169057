#include "codec/toml.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace loam::codec {
namespace {

Error refusal(const std::string& text) {
  const auto parsed = parse_toml(text, "x.toml");
  EXPECT_FALSE(parsed) << text.substr(0, 100);
  return parsed ? Error{} : parsed.error();
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(Toml, IsAFlatListInTheOrderOfTheFile) {
  const auto parsed = parse_toml(
      "z = 1\n[b]\ny = [1, 2.5, true]\nin = { x = \"t\" }\n[a.c]\nw.v = 2020-01-01\n", "x.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 4U);
  EXPECT_EQ((*parsed)[0].path, "z");
  EXPECT_EQ((*parsed)[0].value, Value(1));
  EXPECT_EQ((*parsed)[0].line, 1U);
  EXPECT_EQ((*parsed)[1].path, "b.y");
  EXPECT_EQ((*parsed)[1].value, Value(Array{1, 2.5, true}));
  EXPECT_EQ((*parsed)[2].path, "b.in.x");
  EXPECT_EQ((*parsed)[2].value, Value("t"));
  EXPECT_EQ((*parsed)[2].line, 4U);
  EXPECT_EQ((*parsed)[3].path, "a.c.w.v");
  EXPECT_TRUE((*parsed)[3].value.is_null());
  EXPECT_EQ((*parsed)[3].line, 6U);
}

TEST(Toml, ARefusalNamesFileAndLine) {
  for (const char* text : {"a = 1\na = 2\n", "a = 1\nb = = 1\n", "a = 1\nb = \"\xff\"\n",
                           "a = 1\nb = 9223372036854775808\n", "a = 1\n[b\n"}) {
    const Error error = refusal(text);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(error.message.starts_with("x.toml:2: not TOML: ")) << error.message;
  }
}

TEST(Toml, WhatIsTooLongOrTooNestedIsRefused) {
  const auto is_exhausted = [](const std::string& text) {
    return refusal(text).code == ErrorCode::kResourceExhausted;
  };
  EXPECT_TRUE(parse_toml("#" + std::string(kTomlBytesMax - 1, 'x'), "x.toml"));
  EXPECT_TRUE(is_exhausted("#" + std::string(kTomlBytesMax, 'x')));
  EXPECT_TRUE(is_exhausted(repeated("a.", 300'000) + "a = 1"));
  EXPECT_TRUE(is_exhausted("[" + repeated("a.", 300'000) + "a]"));
  // The deepest that is parsed at all: taken down again without trouble.
  EXPECT_TRUE(is_exhausted(repeated("a.", 2048) + "a = 1"));
  EXPECT_FALSE(parse_toml(repeated("a.", 2048) + "a = =", "x.toml"));
  EXPECT_FALSE(parse_toml("a = " + repeated("[", 100'000), "x.toml"));
  EXPECT_FALSE(parse_toml("a = " + repeated("{a=", 100'000), "x.toml"));
  EXPECT_TRUE(is_exhausted("[" + std::string(kTomlPathBytesMax, 'x') + "]\na = 1\n"));
  EXPECT_TRUE(parse_toml(std::string(kTomlPathBytesMax, 'x') + " = 1", "x.toml"));
}

TEST(Toml, AValueIsDescribedOnOneShortLine) {
  EXPECT_EQ(describe_toml(5), "5");
  EXPECT_EQ(describe_toml(2.5), "2.5");
  EXPECT_EQ(describe_toml(true), "true");
  EXPECT_EQ(describe_toml("a\n\"b\""), "\"a\\u000A\\\"b\\\"\"");
  EXPECT_EQ(describe_toml(Array{1}), "[...]");
  EXPECT_EQ(describe_toml(nullptr), "a date");
  // 59 bytes and a half of a letter, of which nothing is shown.
  EXPECT_EQ(describe_toml(std::string(59, 'x') + "\u00e9" + std::string(1000, 'x')),
            "\"" + std::string(59, 'x') + "\"...");
}

TEST(Toml, AQuotedTextReadsBackAsItWas) {
  std::string all;
  for (char c = 0; c < 0x7f; ++c) all += c;
  all += "\x7f\u00e9\u20ac";
  const auto parsed = parse_toml("x = " + toml_quoted(all), "x.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ((*parsed)[0].value, Value(all));
}

}  // namespace
}  // namespace loam::codec
