#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/parse.h"
#include "base/result.h"
#include "base/utf8.h"

namespace loam {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::kInvalidArgument, "odd");
  return n / 2;
}
Result<int> quarter(int n) { return half(LOAM_TRY(half(n))); }

TEST(Result, TryReturnsTheValueOrPassesTheErrorUp) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Bytes, Base64RoundTripsEveryLength) {
  Bytes data;
  for (int n = 0; n < 70; ++n) {
    EXPECT_EQ(from_base64(to_base64(data)).value(), data);
    data.push_back(static_cast<std::uint8_t>(n * 37));
  }
}

TEST(Bytes, MatchesTheVectorsOfRfc4648) {
  EXPECT_EQ(to_base64(as_bytes("foob")), "Zm9vYg==");
  EXPECT_EQ(to_base64(as_bytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(to_base64url(as_bytes("\xfb\xff")), "-_8");
  EXPECT_EQ(to_hex(as_bytes("\xab\x01")), "ab01");
}

TEST(Bytes, RefusesMalformedText) {
  for (const char* bad : {"A", "AAA", "AA=A", "A===", "AA==AAAA", "A*AA", "AB=="})
    EXPECT_FALSE(from_base64(bad).has_value()) << bad;
  EXPECT_FALSE(from_hex("abc").has_value());
  EXPECT_FALSE(from_hex("zz").has_value());
}

TEST(Utf8, KnowsValidFromInvalid) {
  for (const char* good :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"})
    EXPECT_FALSE(is_valid_utf8(bad));
}

TEST(Utf8, HoldsBackOnlyAnUnfinishedCodePoint) {
  const std::string text = "a\xF0\x9F\x98\x80";
  EXPECT_EQ(complete_utf8_prefix(text), text.size());
  for (std::size_t n = 2; n < text.size(); ++n)
    EXPECT_EQ(complete_utf8_prefix(std::string_view(text).substr(0, n)), 1U);
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2U);  // broken for good: nothing to wait for
}

TEST(Utf8, ReplacesWhatIsBroken) {
  EXPECT_EQ(replace_invalid_utf8("a\xFFz\xE2\x82"), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
}

TEST(Parse, TakesWholeNumbersOnly) {
  EXPECT_EQ(parse_int("-42"), -42);
  for (const char* bad : {"", " 1", "1 ", "1x", "0x1", "99999999999999999999"})
    EXPECT_FALSE(parse_int(bad).has_value()) << bad;
  EXPECT_EQ(parse_number("0.5"), 0.5);
  EXPECT_FALSE(parse_number("nan").has_value());
  EXPECT_FALSE(parse_number("0,5").has_value());
}

TEST(Parse, ReadsSizesAndDurations) {
  EXPECT_EQ(parse_size("64K"), 65536U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
  EXPECT_EQ(parse_size("12"), 12U);
  for (const char* bad : {"", "K", "1X", "-1", "99999999999T", "1KK"})
    EXPECT_FALSE(parse_size(bad).has_value()) << bad;
  EXPECT_EQ(parse_duration_s("5m"), 300);
  EXPECT_EQ(parse_duration_s("-1"), -1);
  EXPECT_EQ(parse_duration_s("0"), 0);
  EXPECT_FALSE(parse_duration_s("-2").has_value());
  EXPECT_FALSE(parse_duration_s("").has_value());
}

TEST(Parse, HumanBytesHaveThreeDigits) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(98362432), "98.4 MB");
  EXPECT_EQ(human_bytes(1500), "1.50 kB");
}

TEST(Parse, NamesTheNearestWordIfItIsATypo) {
  EXPECT_EQ(nearest("modle", {"model", "chat"}), "model");
  EXPECT_FALSE(nearest("zebra", {"model", "chat"}).has_value());
}

TEST(Parse, SplitsAndTrims) {
  EXPECT_EQ(split("a,,b", ',').size(), 3U);
  EXPECT_EQ(trim(" \t x y \n"), "x y");
  EXPECT_EQ(to_lower_ascii("AbC"), "abc");
}

}  // namespace
}  // namespace loam
