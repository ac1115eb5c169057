#include "api/logprobs.h"

#include <gtest/gtest.h>

#include <limits>

#include "codec/json.h"

namespace loam::api {
namespace {

engine::TokenInfo token(std::string bytes, float logprob,
                        const std::vector<std::pair<std::string, float>>& top = {}) {
  engine::TokenInfo out;
  out.bytes = std::move(bytes);
  out.logprob = logprob;
  for (auto& [text, value] : top) {
    out.top.push_back({0, value});
    out.top_bytes.push_back(text);
  }
  return out;
}

std::string completion_json(std::vector<engine::TokenInfo> tokens, std::size_t offset = 0,
                            bool begins_with_prompt = false) {
  return codec::to_json(completion_logprobs(tokens, offset, begins_with_prompt));
}

TEST(Logprobs, ChatHasTextBytesAndAlternatives) {
  const std::vector<engine::TokenInfo> tokens = {token("é", -0.5, {{"é", -0.5}, {"\xff", -2}})};
  EXPECT_EQ(codec::to_json(chat_logprobs(tokens)),
            R"({"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[)"
            R"({"token":"é","logprob":-0.5,"bytes":[195,169]},)"
            "{\"token\":\"\xEF\xBF\xBD\",\"logprob\":-2.0,\"bytes\":[255]}]}],\"refusal\":null}");
}

TEST(Logprobs, CompletionsHaveFourListsOfOneLength) {
  EXPECT_EQ(completion_json({token("ab", -1, {{"ab", -1}}), token("é", -2, {{"x", -0.5}})}, 10),
            R"({"tokens":["ab","é"],"token_logprobs":[-1.0,-2.0],)"
            R"("top_logprobs":[{"ab":-1.0},{"x":-0.5,"é":-2.0}],"text_offset":[10,12]})");
}

TEST(Logprobs, APromptsFirstTokenHasNone) {
  EXPECT_EQ(completion_json({token("a", 0), token("b", -2, {{"b", -2}})}, 0, true),
            R"({"tokens":["a","b"],"token_logprobs":[0.0,-2.0],)"
            R"("top_logprobs":[{},{"b":-2.0}],"text_offset":[0,1]})");
}

TEST(Logprobs, DifferentBrokenBytesKeepDifferentNames) {
  EXPECT_EQ(token_text("\xe2\x80"), "bytes:\\xe2\\x80");
  EXPECT_NE(token_text("\xe2"), token_text("\xe3"));
  EXPECT_EQ(token_text("ok"), "ok");
}

TEST(Logprobs, OfTwoTokensWithOneTextTheLikelierCounts) {
  EXPECT_EQ(completion_json({token("a", -3, {{"a", -1}})}),
            R"({"tokens":["a"],"token_logprobs":[-3.0],"top_logprobs":[{"a":-1.0}],)"
            R"("text_offset":[0]})");
}

TEST(Logprobs, InfinityIsANumberThatJsonHas) {
  EXPECT_TRUE(
      completion_json({token("a", -std::numeric_limits<float>::infinity())}).contains("-9999.0"));
}

TEST(Logprobs, OffsetsCountCodePoints) {
  EXPECT_EQ(count_code_points("a東🌊é"), 4U);
  EXPECT_EQ(count_code_points(""), 0U);
}

}  // namespace
}  // namespace loam::api
