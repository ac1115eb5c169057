#include "tuning/examples.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/random.h"

namespace loam::tuning {
namespace {

constexpr std::string_view kFirst =
    R"({"id":"loam1a","split":"train","messages":[{"role":"user","content":"Tea?"},)"
    R"({"role":"assistant","content":"Yes."}]})"
    "\n";

class ExamplesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = engine::start_fake_engine({});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }
  void TearDown() override { std::filesystem::remove(file_); }
  Result<Examples> read(std::string_view text, ExampleOptions options = {}) {
    EXPECT_TRUE(env::write_file_atomic(file_, text));
    return read_examples(file_, *engine_, options, [](auto, auto) { return true; });
  }
  std::string text(std::span<const train::Token> tokens) {
    return *engine_->detokenize({tokens.begin(), tokens.end()});
  }
  std::string prompt(const Text& of) { return text(std::span(of.tokens).first(of.prompt_tokens)); }
  std::string answer(const Text& of) {
    return text(std::span(of.tokens).subspan(of.prompt_tokens));
  }

  const env::Path file_ = std::filesystem::temp_directory_path() / env::random_id("loam-examples-");
  std::unique_ptr<engine::Engine> engine_;
};

TEST_F(ExamplesTest, LearnsTheLastAnswerAndTheTokenThatEndsIt) {
  const auto examples =
      read(R"({"id":"loam1b","split":"train","messages":[{"role":"user","content":"Tea?"},)"
           R"({"role":"assistant","content":"Yes."},{"role":"user","content":"Milk?"},)"
           R"({"role":"assistant","content":"No."}]})");
  ASSERT_TRUE(examples) << examples.error().message;
  ASSERT_EQ(examples->items.size(), 1U);
  const Example& example = examples->items[0];
  EXPECT_EQ(example.record, "loam1b");
  ASSERT_EQ(example.texts.size(), 1U);
  EXPECT_EQ(answer(example.texts[0]), "No.<|im_end|>");
  EXPECT_TRUE(prompt(example.texts[0])
                  .ends_with("<|im_start|>user\nMilk?<|im_end|>\n<|im_start|>assistant\n"));
}

TEST_F(ExamplesTest, LearnsAllOfItIfAsked) {
  EXPECT_EQ(read(kFirst, {.learn_prompts = true})->items.at(0).texts.at(0).prompt_tokens, 1U);
}

TEST_F(ExamplesTest, RowsForMeasuringAreNotLearned) {
  std::string rows(kFirst);
  for (const char* split : {"eval", "gate"}) {
    std::string row(kFirst);
    rows += row.replace(row.find("train"), 5, split);
  }
  EXPECT_EQ(read(rows)->items.size(), 1U);
}

TEST_F(ExamplesTest, CountsWhatItLeavesOut) {
  std::string odd(kFirst), empty(kFirst);
  odd.replace(odd.find("user"), 4, "oracle");
  const auto examples = read(std::string(kFirst) + odd);
  ASSERT_TRUE(examples) << examples.error().message;
  EXPECT_EQ(examples->items.size(), 1U);
  EXPECT_EQ(examples->no_template, 1U);
  const auto none = read(kFirst, {.tokens_max = 5});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(none.error().message.find("1 too long for cutoff_len = 5"), std::string::npos);
}

TEST_F(ExamplesTest, APairHasTheBetterAnswerFirst) {
  const auto examples =
      read(R"({"id":"loam1c","split":"train","prompt":[{"role":"user","content":"Tea?"}],)"
           R"("chosen":[{"role":"assistant","content":"Yes."}],)"
           R"("rejected":[{"role":"assistant","content":"No."}]})",
           {.stage = Stage::kDpo});
  ASSERT_TRUE(examples) << examples.error().message;
  const Example& example = examples->items.at(0);
  ASSERT_EQ(example.texts.size(), 2U);
  EXPECT_EQ(answer(example.texts[0]), "Yes.<|im_end|>");
  EXPECT_EQ(answer(example.texts[1]), "No.<|im_end|>");
  EXPECT_EQ(prompt(example.texts[0]), prompt(example.texts[1]));
  EXPECT_EQ(example.tokens(), example.texts[0].tokens.size() + example.texts[1].tokens.size());
}

TEST_F(ExamplesTest, AThumbComesWithItsAnswer) {
  const auto row = [](std::string_view label) {
    return std::string(
               R"({"id":"loam1d","split":"train","prompt":[{"role":"user","content":"Tea?"}],)"
               R"("completion":[{"role":"assistant","content":"Yes."}],"label":)") +
           std::string(label) + "}\n";
  };
  const auto examples = read(row("true") + row("false"), {.stage = Stage::kKto});
  ASSERT_TRUE(examples) << examples.error().message;
  EXPECT_TRUE(examples->items.at(0).good);
  EXPECT_FALSE(examples->items.at(1).good);
  EXPECT_EQ(answer(examples->items.at(1).texts.at(0)), "Yes.<|im_end|>");
  EXPECT_EQ(read(row("1"), {.stage = Stage::kKto}).error().code, ErrorCode::kCorrupt);
}

TEST_F(ExamplesTest, NamesTheLineThatIsNoRow) {
  for (
      const std::string_view row :
      {"{", "[]", "{}", R"({"id":"a","split":"train","messages":[]})",
       R"({"id":"a","split":"train","messages":[{"role":"user"},{"role":"assistant"}]})",
       R"({"id":"a","split":"train","messages":[{"role":"user","content":"x"},{"role":"user","content":"x"}]})"}) {
    const auto examples = read(std::string(kFirst) + std::string(row) + "\n");
    ASSERT_FALSE(examples) << row;
    EXPECT_EQ(examples.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(examples.error().message.find(":2: "), std::string::npos);
  }
}

TEST_F(ExamplesTest, CanBeStopped) {
  ASSERT_TRUE(env::write_file_atomic(file_, kFirst));
  const auto stopped = read_examples(file_, *engine_, {}, [](auto, auto) { return false; });
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace loam::tuning
