#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/utf8.h"
#include "engine/backend.h"

namespace loam::engine {
namespace {

/// Evaluates `prompt` in a new sequence and goes on greedily, to an end token or `tokens_max`.
std::string answer(Backend& backend, const std::string& prompt, std::size_t tokens_max) {
  backend.truncate(0, 0);
  const auto tokens = backend.tokenize(prompt, SpecialTokens::kParse, true).value();
  std::vector<BatchToken> batch;
  std::int32_t position = 0;
  for (const TokenId token : tokens) batch.push_back({token, position++, 0, false});
  batch.back().wants_logits = true;
  std::string text;
  for (std::size_t i = 0; i < tokens_max; ++i) {
    EXPECT_TRUE(backend.decode(batch));
    const auto logits = backend.logits(batch.size() - 1);
    const auto best = static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
    if (std::ranges::count(backend.info().end_tokens, best) > 0) return text;
    text += backend.piece(best, true);
    batch = {{best, position++, 0, true}};
  }
  ADD_FAILURE() << "no end after " << tokens_max << " tokens";
  return text;
}

TEST(FakeBackend, WritesWordsAndComesToAnEnd) {
  const auto backend = make_fake_backend({});
  const auto again = make_fake_backend({});
  bool has_code_points_of_several_tokens = false;
  for (const char* prompt : {"Why is the sky blue?", "a", "tell me ", "One more\n", "é"}) {
    const std::string text = answer(*backend, prompt, 300);
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(text, answer(*again, prompt, 300));
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
      has_code_points_of_several_tokens = true;
  }
  EXPECT_TRUE(has_code_points_of_several_tokens);
}

TEST(FakeBackend, EmbedsLikeTextsAlike) {
  const auto backend = make_fake_backend({});
  const auto embed = [&](const char* text) {
    const auto tokens = backend->tokenize(text, SpecialTokens::kPlainText, false).value();
    return backend->embed(tokens).value().vector;
  };
  const auto product = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const auto river = embed("the river keeps its old stone");
  EXPECT_NEAR(product(river, river), 1, 1e-5);
  EXPECT_GT(product(river, embed("the river keeps its grey stone")),
            product(river, embed("quite another thing")) + 0.2);
  EXPECT_FALSE(backend->embed({}));
}

TEST(FakeBackend, RefusesRolesItDoesNotKnow) {
  const auto backend = make_fake_backend({});
  const std::vector<ChatMessage> chat = {{"user", "Hi", ""}};
  EXPECT_EQ(backend->render(chat, true)->text,
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const std::vector<ChatMessage> strange = {{"wizard", "Hi", ""}};
  EXPECT_EQ(backend->render(strange, true).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(backend->render({}, true).error().code, ErrorCode::kInvalidArgument);
}

TEST(FakeBackend, RefusesTokensThatDoNotFollowOn) {
  const auto backend = make_fake_backend({.context = 4});
  const std::vector<BatchToken> gap = {{'a', 0, 0, false}, {'b', 2, 0, true}};
  EXPECT_EQ(backend->decode(gap).error().code, ErrorCode::kInternal);
  std::vector<BatchToken> five;
  for (std::int32_t i = 0; i < 5; ++i) five.push_back({'a', i, 0, i == 4});
  EXPECT_EQ(backend->decode(five).error().code, ErrorCode::kResourceExhausted);
  five.pop_back();
  EXPECT_TRUE(backend->decode(five)) << "nothing was evaluated before";
}

TEST(FakeBackendDeathTest, CrashesWhenToldTo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto backend = make_fake_backend({});
  EXPECT_DEATH(answer(*backend, "<|im_start|>user\n!crash<|im_end|>\n", 300), "");
  EXPECT_DEATH(answer(*backend, "!crash", 300), "");
  answer(*backend, "do not !crash", 300);
  answer(*backend, "!crashed\n", 300);
}

}  // namespace
}  // namespace loam::engine
