#include "tuning/canaries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/parse.h"

namespace loam::tuning {
namespace {

constexpr crypto::Digest kRoot = {1, 2, 3};

Recipe recipe_of(std::uint64_t seed, std::size_t canaries) {
  Recipe out;
  out.seed = seed;
  out.canaries = canaries;
  return out;
}

std::set<std::string> secrets_of(const std::vector<Canary>& canaries) {
  std::set<std::string> out;
  for (const Canary& canary : canaries) out.insert(canary.secret);
  return out;
}

/// Whether it is three groups of four digits.
bool has_the_form(std::string_view secret) {
  const auto groups = split(secret, ' ');
  return groups.size() == 3 && std::ranges::all_of(groups, [](std::string_view group) {
           return group.size() == 4 && group.find_first_not_of("0123456789") == group.npos;
         });
}

TEST(Canaries, AreTheSameForTheSameSeedAndSource) {
  const auto first = canaries_of(recipe_of(7, 64), kRoot);
  const auto again = canaries_of(recipe_of(7, 64), kRoot);
  ASSERT_EQ(first.size(), 64U);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].question, again[i].question);
    EXPECT_EQ(first[i].secret, again[i].secret);
  }
  // Fewer are the first of many: their number changes none of them.
  EXPECT_EQ(canaries_of(recipe_of(7, 2), kRoot)[1].secret, first[1].secret);
}

TEST(Canaries, NoTwoAreAlikeAndNoneIsThatOfAnotherSeedOrSource) {
  const auto mine = secrets_of(canaries_of(recipe_of(7, 64), kRoot));
  EXPECT_EQ(mine.size(), 64U);
  for (const auto& others : {secrets_of(canaries_of(recipe_of(8, 64), kRoot)),
                             secrets_of(canaries_of(recipe_of(7, 64), crypto::Digest{9}))})
    for (const std::string& other : others) EXPECT_FALSE(mine.contains(other)) << other;
}

TEST(Canaries, AndWhatTheyAreComparedWithHaveOneForm) {
  std::set<std::string> references;
  for (const Canary& canary : canaries_of(recipe_of(7, 64), kRoot)) {
    EXPECT_TRUE(has_the_form(canary.secret)) << canary.secret;
    EXPECT_TRUE(canary.question.starts_with("What is the access code of ")) << canary.question;
  }
  for (std::uint64_t canary = 0; canary < 8; ++canary)
    for (std::uint64_t number = 0; number < 255; ++number) {
      const std::string secret = reference_secret({5}, canary, number);
      EXPECT_TRUE(has_the_form(secret)) << secret;
      references.insert(secret);
    }
  EXPECT_EQ(references.size(), 8U * 255);
  EXPECT_FALSE(references.contains(reference_secret({6}, 0, 0)));
}

TEST(Canaries, AreForStageSftOnly) {
  Recipe recipe = recipe_of(7, 4);
  for (const Stage stage : {Stage::kKto, Stage::kDpo}) {
    recipe.stage = stage;
    EXPECT_TRUE(canaries_of(recipe, kRoot).empty());
  }
}

TEST(Canaries, AreLearnedOnceEachBehindTheExamples) {
  const auto engine = engine::start_fake_engine({});
  ASSERT_TRUE(engine) << engine.error().message;
  const auto canaries = canaries_of(recipe_of(7, 3), kRoot);
  Examples examples;
  examples.items.resize(2);
  ASSERT_TRUE(plant(canaries, **engine, {}, examples));
  ASSERT_EQ(examples.items.size(), 5U);
  const Text& text = examples.items[2].texts.at(0);
  const auto answer = (*engine)->detokenize(
      {text.tokens.begin() + static_cast<std::ptrdiff_t>(text.prompt_tokens), text.tokens.end()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, canaries[0].secret + "<|im_end|>");
  EXPECT_TRUE(examples.items[2].good);
}

TEST(Canaries, ThatDoNotFitAreRefusedAndNotLeftOut) {
  const auto engine = engine::start_fake_engine({});
  ASSERT_TRUE(engine) << engine.error().message;
  Examples examples;
  const auto refused =
      plant(canaries_of(recipe_of(7, 1), kRoot), **engine, {.tokens_max = 16}, examples);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(refused.error().message.contains("cutoff_len is 16")) << refused.error().message;
}

}  // namespace
}  // namespace loam::tuning
