#include "gate/slice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/format.h"
#include "env/random.h"

namespace loam::gate {
namespace {

std::string sft_line(std::string_view id, std::string_view split, std::string_view question) {
  return format(R"({{"id":"{}","split":"{}","messages":[{{"role":"user","content":"{}"}},)"
                R"({{"role":"assistant","content":"Yes."}}]}})"
                "\n",
                id, split, question);
}

std::string dpo_line(std::string_view id, std::string_view split, std::string_view question) {
  return format(R"({{"id":"{}","split":"{}","prompt":[{{"role":"user","content":"{}"}}],)"
                R"("chosen":[{{"role":"assistant","content":"Yes."}}],)"
                R"("rejected":[{{"role":"assistant","content":"No."}}]}})"
                "\n",
                id, split, question);
}

class SliceTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A data set's files, as far as a slice looks at them.
  env::Path set(const std::string& name, std::string_view sft, std::string_view dpo = "",
                std::string_view dropped = "") {
    const env::Path out = folder_ / name;
    std::filesystem::create_directories(out);
    for (const auto& [file, text] : {std::pair{"sft.jsonl", sft},
                                     {"dpo.jsonl", dpo},
                                     {"kto.jsonl", ""},
                                     {"dropped.jsonl", dropped}})
      EXPECT_TRUE(env::write_file_atomic(out / file, text));
    return out;
  }
  static std::vector<std::string> records(const std::vector<tuning::ViewRow>& rows) {
    std::vector<std::string> out;
    for (const auto& row : rows) out.push_back(row.record);
    return out;
  }
  static std::vector<std::string> sorted(std::vector<std::string> names) {
    std::ranges::sort(names);
    return names;
  }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-slice-");
};

TEST_F(SliceTest, TakesWhatWasHeldOutAndNoQuestionThatWasLearned) {
  const auto trained = set("set",
                           sft_line("a", "train", "One?") + sft_line("b", "eval", "Two?") +
                               sft_line("c", "gate", "Three?") + sft_line("d", "gate", "One?"),
                           dpo_line("b", "eval", "Two?") + dpo_line("a", "train", "One?"));
  const auto slice = draw_slice(trained, std::nullopt, {}, 10);
  ASSERT_TRUE(slice) << slice.error().message;
  EXPECT_EQ(sorted(records(slice->answers)), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(records(slice->pairs), (std::vector<std::string>{"b"}));
}

TEST_F(SliceTest, TakesWhatIsNewInANewerSetFirst) {
  const std::string dropped = ledger::to_text(ledger::RecordId{});
  const auto trained =
      set("set", sft_line("a", "train", "One?") + sft_line("b", "eval", "Two?"), "",
          format(R"({{"id":"{}","reason":"query"}})"
                 "\n",
                 dropped));
  const auto newer =
      set("newer", sft_line("a", "train", "One?") + sft_line("b", "eval", "Two?") +
                       sft_line("e", "train", "Five?") + sft_line("f", "train", "One?") +
                       sft_line(dropped, "train", "Six?"));
  const auto slice = draw_slice(trained, newer, {}, 10);
  ASSERT_TRUE(slice) << slice.error().message;
  EXPECT_EQ(records(slice->answers), (std::vector<std::string>{"e", "b"}));
  EXPECT_EQ(records(draw_slice(trained, newer, {}, 1)->answers), (std::vector<std::string>{"e"}));
}

TEST_F(SliceTest, LeavesOutNearDuplicatesOfWhatWasLearned) {
  const std::string learned = "Where did the old captain put the small blue lamp last night?";
  const std::string reworded = "Where did the old captain put the small blue lamps last night?";
  const auto trained = set("set",
                           sft_line("a", "train", learned) + sft_line("b", "gate", reworded) +
                               sft_line("c", "gate", "Who has seen the green boat?"),
                           dpo_line("b", "gate", reworded));
  const auto newer = set("newer", sft_line("e", "train",
                                           "Where did the old captains put the small blue lamp "
                                           "last night?") +
                                      sft_line("f", "train", "What is the name of the island?"));
  const auto slice = draw_slice(trained, newer, {}, 10);
  ASSERT_TRUE(slice) << slice.error().message;
  EXPECT_EQ(records(slice->answers), (std::vector<std::string>{"f", "c"}));
  EXPECT_TRUE(slice->pairs.empty());
  EXPECT_EQ(slice->near_duplicates, 2U);
}

TEST_F(SliceTest, NearDuplicatesOfEachOtherStay) {
  const std::string question = "Where did the old captain put the small blue lamp last night?";
  const auto trained =
      set("set", sft_line("a", "train", "Who has seen the green boat?") +
                     sft_line("b", "gate", question) + sft_line("c", "gate", question + " Why?"));
  const auto slice = draw_slice(trained, std::nullopt, {}, 10);
  ASSERT_TRUE(slice) << slice.error().message;
  EXPECT_EQ(sorted(records(slice->answers)), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(slice->near_duplicates, 0U);
}

TEST_F(SliceTest, TheNonceDecidesWhichAndInWhichOrder) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += sft_line(format("r{}", i), "gate", format("Q{}?", i));
  const auto trained = set("set", lines);
  const auto first = records(draw_slice(trained, std::nullopt, Nonce{1}, 10)->answers);
  EXPECT_EQ(first.size(), 10U);
  EXPECT_EQ(records(draw_slice(trained, std::nullopt, Nonce{1}, 10)->answers), first);
  EXPECT_NE(sorted(records(draw_slice(trained, std::nullopt, Nonce{2}, 10)->answers)),
            sorted(first));
}

TEST_F(SliceTest, ADamagedSetIsNamed) {
  const auto slice = draw_slice(set("set", "{}\n"), std::nullopt, {}, 10);
  ASSERT_FALSE(slice);
  EXPECT_EQ(slice.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(slice.error().message.contains("sft.jsonl:1")) << slice.error().message;
}

}  // namespace
}  // namespace loam::gate
