#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"

namespace loam::engine {
namespace {

struct Shown {
  std::vector<std::string> deltas;
  std::string text;         // all of them
  std::string token_bytes;  // of the tokens that came with them
  std::vector<TokenId> tokens;
  bool stopped = false;
};

Shown show(const std::vector<std::string>& pieces, const std::vector<std::string>& stop) {
  TextStream stream(stop);
  Shown shown;
  const auto take = [&](const Delta& delta) {
    EXPECT_TRUE(is_valid_utf8(delta.text));
    shown.deltas.push_back(delta.text);
    shown.text += delta.text;
    for (const TokenInfo& token : delta.tokens) {
      shown.tokens.push_back(token.token);
      shown.token_bytes += token.bytes;
    }
  };
  TokenId id = 0;
  for (const std::string& piece : pieces) {
    TokenInfo token;
    token.token = id++;
    token.bytes = piece;
    Delta delta;
    if (stream.add(std::move(token), delta)) take(delta);
    shown.stopped = stream.stopped();
    if (shown.stopped) return shown;
  }
  Delta delta;
  if (stream.finish(delta)) take(delta);
  return shown;
}

using Strings = std::vector<std::string>;

TEST(TextStream, ShowsEachTokenAtOnceIfNothingSpeaksAgainstIt) {
  EXPECT_EQ(show({"Hello", " world", "."}, {}).deltas, (Strings{"Hello", " world", "."}));
}

TEST(TextStream, NeverSplitsACodePoint) {
  const Shown shown =
      show({"a\xF0", "\x9F", "\x8C", std::string("\x8A") + "b", "\xC3", "\xA9"}, {});
  EXPECT_EQ(shown.deltas, (Strings{"a", "🌊b", "é"}));
  EXPECT_EQ(shown.tokens, (std::vector<TokenId>{0, 1, 2, 3, 4, 5}));
}

TEST(TextStream, ReplacesBrokenBytesOnlyWhenNothingCanMendThem) {
  EXPECT_EQ(show({"a\xE2\x82", "b"}, {}).deltas, (Strings{"a",
                                                          "\uFFFD\uFFFD"
                                                          "b"}));
  EXPECT_EQ(show({"a\xE2\x82"}, {}).deltas, (Strings{"a", "\uFFFD"})) << "the end of the text";
  EXPECT_EQ(show({"\xFF"}, {}).deltas, (Strings{"\uFFFD"}));
}

TEST(TextStream, NeverShowsAStopString) {
  EXPECT_EQ(show({"one ", "ST", "OP", " two"}, {"STOP"}).text, "one ");
  EXPECT_EQ(show({"one STOP two"}, {"STOP"}).text, "one ");
  EXPECT_EQ(show({"S", "T", "O", "S", "T", "O", "P"}, {"STOP"}).text, "STO");
  EXPECT_EQ(show({"aab"}, {"ab"}).text, "a");
  EXPECT_EQ(show({"a", "a", "b"}, {"ab"}).text, "a");
}

TEST(TextStream, HoldsBackNoMoreThanAStopStringCouldNeed) {
  EXPECT_EQ(show({"x\n", "\ny", "\n", "\n"}, {"\n\n\n"}).deltas, (Strings{"x", "\n\ny", "\n\n"}));
  EXPECT_FALSE(show({"x\n", "\n"}, {"\n\n\n"}).stopped);
}

TEST(TextStream, StopsAtWhicheverStopStringIsCompleteFirst) {
  EXPECT_EQ(show({"a long word"}, {"long word", "on"}).text, "a l");
  EXPECT_EQ(show({"xabc"}, {"bc", "abc", "c"}).text, "x") << "the longest of those that end there";
  EXPECT_EQ(show({"ab", "cd"}, {"abcde", "cd"}).text, "ab") << "a longer one had begun earlier";
}

TEST(TextStream, ReportsTheTokensOfTheShownTextOnly) {
  const Shown shown = show({"one", " twoST", "OP"}, {"STOP"});
  EXPECT_EQ(shown.text, "one two");
  EXPECT_EQ(shown.token_bytes, "one two") << "a token is cut where the stop string begins in it";
  EXPECT_EQ(shown.tokens, (std::vector<TokenId>{0, 1}));
}

TEST(TextStream, TokensWithoutTextComeWithTheNextText) {
  const Shown shown = show({"", "a", "", "", "b", ""}, {});
  EXPECT_EQ(shown.deltas, (Strings{"a", "b", ""}));
  EXPECT_EQ(shown.tokens, (std::vector<TokenId>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(show({}, {}).deltas.empty());
}

/// The whole text at once, by the definition.
std::string expected_text(const std::string& bytes, const Strings& stop) {
  for (std::size_t end = 1; end <= bytes.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& s : stop)
      if (bytes.substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    if (longest > 0) return replace_invalid_utf8(bytes.substr(0, end - longest));
  }
  return replace_invalid_utf8(bytes);
}

TEST(TextStream, DoesNotDependOnWhereTokensBegin) {
  std::mt19937 random(6);
  const auto below = [&](std::size_t n) { return random() % n; };
  const Strings atoms = {"a", "b", "ab", "é", "東", "🌊", "\n", "\xC3", "\xA9", "\xF0\x9F", "\xFF"};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (std::size_t i = below(12); i > 0; --i) bytes += atoms[below(atoms.size())];
    Strings stop;
    for (std::size_t i = below(4); i > 0; --i) {
      std::string s;
      for (std::size_t j = 1 + below(3); j > 0; --j)
        s += atoms[below(7)];  // stop strings are UTF-8
      stop.push_back(s);
    }
    Strings pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = std::min(below(5), bytes.size() - at);
      pieces.push_back(bytes.substr(at, length));
      at += length;
    }
    const Shown shown = show(pieces, stop);
    ASSERT_EQ(shown.text, expected_text(bytes, stop)) << "round " << round;
    ASSERT_EQ(replace_invalid_utf8(shown.token_bytes), shown.text);
    std::string so_far;
    for (const std::string& delta : shown.deltas) {
      so_far += delta;
      for (const std::string& s : stop) ASSERT_EQ(so_far.find(s), std::string::npos);
    }
    for (std::size_t i = 0; i < shown.tokens.size(); ++i)
      ASSERT_EQ(shown.tokens[i], static_cast<TokenId>(i));
  }
}

}  // namespace
}  // namespace loam::engine
