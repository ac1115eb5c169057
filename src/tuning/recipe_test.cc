#include "tuning/recipe.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "env/disk.h"
#include "tuning/recipe_settings.h"

namespace loam::tuning {
namespace {

using Row = RecipeSetting;
using train::Part;

Error error_of(const std::string& text) {
  const auto recipe = parse_recipe(text, "r.toml");
  EXPECT_FALSE(recipe) << text;
  return recipe ? Error{} : recipe.error();
}

std::vector<Part> targets_of(const std::string& value) {
  const auto recipe = parse_recipe("lora_target = " + value, "r.toml");
  EXPECT_TRUE(recipe) << recipe.error().message;
  return recipe ? recipe->lora_target : std::vector<Part>{};
}

/// Puts anything that is allowed into a field.
struct Arbitrary {
  Recipe& recipe;
  void operator()(const Row::Flag& field) const { *field.value = *rc::gen::arbitrary<bool>(); }
  void operator()(const Row::Whole& field) const {
    *field.value = static_cast<std::uint64_t>(
        *rc::gen::oneOf(rc::gen::inRange(field.min, field.max), rc::gen::just(field.max)));
  }
  template <class T>
  void operator()(const Row::Real<T>& field) const {
    constexpr std::int64_t kSteps = std::int64_t{1} << 50;
    const auto step = *rc::gen::oneOf(rc::gen::inRange(std::int64_t{0}, kSteps),
                                      rc::gen::elementOf(std::vector{std::int64_t{0}, kSteps}));
    const double part = static_cast<double>(step) / static_cast<double>(kSteps);
    const double number = std::min(field.max, field.min + part * (field.max - field.min));
    *field.value = static_cast<T>(field.whole ? std::floor(number) : number);
  }
  void operator()(const Row::Choice& field) const {
    field.choose(recipe, *rc::gen::inRange(std::size_t{0}, field.words.size()));
  }
  void operator()(const Row::Parts& field) const {
    const unsigned chosen = *rc::gen::inRange(1U, 1U << train::kParts.size());
    field.value->clear();
    for (const Part part : train::kParts)
      if ((chosen >> static_cast<unsigned>(part) & 1U) != 0) field.value->push_back(part);
  }
};

RC_GTEST_PROP(Recipe, IsTheSameAfterItWasWrittenAndRead, ()) {
  Recipe recipe;
  for (const Row& row : recipe_settings()) std::visit(Arbitrary{recipe}, row.field(recipe));
  const std::string written = to_toml(recipe);
  const auto again = parse_recipe(written, "r.toml");
  if (!again) RC_FAIL(again.error().message);
  RC_ASSERT(*again == recipe);
  RC_ASSERT(to_toml(*again) == written);
}

TEST(Recipe, OfAnEmptyFileIsTheDefaults) {
  const auto recipe = parse_recipe("", "r.toml");
  ASSERT_TRUE(recipe);
  EXPECT_EQ(*recipe, Recipe{});
}

TEST(Recipe, IsWrittenInBytesThatNeverChange) {  // runs keep hashes of them
  EXPECT_EQ(to_toml(Recipe{}), R"(stage = "sft"
finetuning_type = "lora"
lora_rank = 8
lora_alpha = 16
lora_target = "all"
cutoff_len = 512
per_device_train_batch_size = 4
gradient_accumulation_steps = 2
learning_rate = 0.0002
lr_scheduler_type = "cosine"
warmup_ratio = 0.03
num_train_epochs = 3
max_steps = 0
weight_decay = 0
max_grad_norm = 1
train_on_prompt = false
disable_gradient_checkpointing = true
logging_steps = 1
save_steps = 50
seed = 42
pref_beta = 0.1
kto_chosen_weight = 1
kto_rejected_weight = 1
)");
  const auto small = parse_recipe(
      "learning_rate = 5e-6\nweight_decay = -0.0\nlora_target = [\"up_proj\", \"q_proj\"]", "r");
  ASSERT_TRUE(small) << small.error().message;
  EXPECT_NE(to_toml(*small).find("\nlearning_rate = 5e-06\n"), std::string::npos);
  EXPECT_NE(to_toml(*small).find("\nweight_decay = 0\n"), std::string::npos);
  EXPECT_NE(to_toml(*small).find("\nlora_target = \"q_proj,up_proj\"\n"), std::string::npos);
}

TEST(Recipe, ASettingThatCameLaterIsWrittenOnlyIfItIsNotItsDefault) {
  EXPECT_EQ(to_toml(*parse_recipe("canaries = 0", "r")), to_toml(Recipe{}));
  EXPECT_EQ(to_toml(*parse_recipe("canaries = 3", "r")), to_toml(Recipe{}) + "canaries = 3\n");
  EXPECT_EQ(error_of("canaries = 65").message,
            "r.toml:1: canaries = 65: expected a whole number from 0 to 64");
}

TEST(Recipe, AlphaIsTwiceTheRankUnlessItIsGiven) {
  EXPECT_EQ(parse_recipe("lora_rank = 32", "r.toml")->lora_alpha, 64);
  EXPECT_EQ(parse_recipe("lora_alpha = 8\nlora_rank = 32", "r.toml")->lora_alpha, 8);
}

TEST(Recipe, NumbersMayBeWrittenAsPeopleDo) {
  const auto recipe = parse_recipe(
      "learning_rate = 1\nnum_train_epochs = 2.0\nlora_alpha = 24.5\nseed = 9_000\n", "r.toml");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->learning_rate, 1);
  EXPECT_EQ(recipe->num_train_epochs, 2);
  EXPECT_EQ(recipe->lora_alpha, 24.5F);
  EXPECT_EQ(recipe->seed, 9000U);
}

TEST(Recipe, TargetsAreATextOrAListInAnyOrder) {
  const std::vector<Part> all(train::kParts.begin(), train::kParts.end());
  EXPECT_EQ(targets_of("\"all\""), all);
  EXPECT_EQ(targets_of("[\"all\"]"), all);
  EXPECT_EQ(targets_of("\"v_proj, q_proj,v_proj\""), (std::vector{Part::kQ, Part::kV}));
  EXPECT_EQ(targets_of("[\"down_proj\", \"o_proj\"]"), (std::vector{Part::kOutput, Part::kDown}));
  for (const char* bad : {"\"\"", "[]", "[1]", "\"q_proj,\"", "\"all,q_proj\"", "\"q\"", "1"}) {
    const Error error = error_of(format("lora_target = {}", bad));
    EXPECT_NE(error.message.find("some of q_proj, k_proj, v_proj, o_proj"), std::string::npos);
  }
}

TEST(Recipe, AnUnknownKeyIsRefusedWithItsLineAndTheNearest) {
  const Error error = error_of("# mine\nlora_rnak = 8\n");
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, "r.toml:2: unknown setting \"lora_rnak\"");
  EXPECT_EQ(error.hint, "did you mean lora_rank?");
  EXPECT_EQ(error_of("x = 1").hint, "docs/formats/recipe.md lists the settings of a recipe");
  EXPECT_EQ(error_of("[stage]\nx = 1").message, "r.toml:2: unknown setting \"stage.x\"");
}

TEST(Recipe, AValueThatIsNotAllowedIsRefusedWithWhatIs) {
  EXPECT_EQ(error_of("\nlora_rank = 0").message,
            "r.toml:2: lora_rank = 0: expected a whole number from 1 to 256");
  EXPECT_EQ(error_of("lora_rank = 8.0").message,
            "r.toml:1: lora_rank = 8: expected a whole number from 1 to 256");
  EXPECT_EQ(error_of("num_train_epochs = 2.5").message,
            "r.toml:1: num_train_epochs = 2.5: expected a whole number from 1 to 1000");
  EXPECT_EQ(error_of("warmup_ratio = nan").message,
            "r.toml:1: warmup_ratio = nan: expected a number from 0 to 1");
  EXPECT_EQ(error_of("stage = \"pt\"").message,
            "r.toml:1: stage = \"pt\": expected \"sft\" or \"kto\" or \"dpo\"");
  EXPECT_EQ(error_of("train_on_prompt = 1").message,
            "r.toml:1: train_on_prompt = 1: expected true or false");
  EXPECT_EQ(error_of("seed = -1").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of("learning_rate = inf").code, ErrorCode::kInvalidArgument);
}

TEST(Recipe, WhatIsNotTomlIsRefusedWithItsLine) {
  EXPECT_TRUE(error_of("seed = 1\nstage: sft\n").message.starts_with("r.toml:2: not TOML: "));
  EXPECT_EQ(error_of(std::string(2U << 20U, '\n')).code, ErrorCode::kResourceExhausted);
}

/// The page, whose one example stands between fences.
std::string page() {
  const auto docs = env::read_file(
      env::Path(LOAM_TESTDATA).parent_path() / "../../docs/formats/recipe.md", 1U << 20U);
  EXPECT_TRUE(docs);
  return docs ? *docs : "";
}

TEST(RecipeDocs, HoldTheTableOfSettings) {
  EXPECT_TRUE(page().ends_with("\n\n" + recipe_markdown()))
      << "docs/formats/recipe.md must end in:\n"
      << recipe_markdown();
}

TEST(RecipeDocs, HaveAnExampleThatIsARecipe) {
  const std::string docs = page();
  const std::size_t begin = docs.find("```toml\n");
  ASSERT_NE(begin, std::string::npos);
  const std::string example = docs.substr(begin + 8, docs.find("```\n", begin + 8) - begin - 8);
  const auto recipe = parse_recipe(example, "example");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_NE(*recipe, Recipe{});
}

}  // namespace
}  // namespace loam::tuning
