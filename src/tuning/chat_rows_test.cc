#include "tuning/chat_rows.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "env/random.h"

namespace loam::tuning {
namespace {

constexpr std::string_view kTea =
    R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Tea?"},)"
    R"({"role":"assistant","content":"Yes."}]})";
constexpr std::string_view kPair =
    R"({"input":{"messages":[{"role":"user","content":"Tea?"}],"tools":[]},)"
    R"("preferred_output":[{"role":"assistant","content":"Yes."}],)"
    R"("non_preferred_output":[{"role":"assistant","content":"No."}]})";

/// What is wrong with a line.
std::string fault(std::string_view line, Stage stage = Stage::kSft) {
  const auto rows = parse_chat_line(line, stage);
  return rows ? "nothing" : rows.error().message;
}

TEST(ChatRows, AConversationTeachesItsAnswer) {
  const auto rows = parse_chat_line(kTea, Stage::kSft);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).split, "train");
  ASSERT_EQ(rows->at(0).conversations.size(), 1U);
  const auto& messages = rows->at(0).conversations[0];
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[2].content, "Yes.");
}

TEST(ChatRows, EveryAnswerOfALongerOneIsTaughtUnlessItsWeightIsZero) {
  const auto line = [](std::string_view weight) {
    return format(
        R"({{"messages":[{{"role":"user","content":"Tea?"}},)"
        R"({{"role":"assistant","content":"Yes."{}}},{{"role":"user","content":"Milk?"}},)"
        R"({{"role":"assistant","content":"No.","weight":1}}]}})",
        weight);
  };
  const auto both = parse_chat_line(line(""), Stage::kSft);
  ASSERT_TRUE(both) << both.error().message;
  ASSERT_EQ(both->size(), 2U);
  EXPECT_EQ(both->at(0).conversations[0].size(), 2U);
  EXPECT_EQ(both->at(1).conversations[0].size(), 4U);
  const auto last = parse_chat_line(line(R"(,"weight":0)"), Stage::kSft);
  ASSERT_EQ(last->size(), 1U);
  EXPECT_EQ(last->at(0).conversations[0].size(), 4U);
}

TEST(ChatRows, APairHasTheBetterAnswerFirst) {
  const auto rows = parse_chat_line(kPair, Stage::kDpo);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->at(0).conversations.size(), 2U);
  EXPECT_EQ(rows->at(0).conversations[0].back().content, "Yes.");
  EXPECT_EQ(rows->at(0).conversations[1].back().content, "No.");
}

TEST(ChatRows, SayWhatIsWrongWithALine) {
  EXPECT_NE(fault("{").find("no JSON"), std::string::npos);
  EXPECT_NE(fault("").find("no JSON"), std::string::npos);
  EXPECT_EQ(fault("[]"), "must be a JSON object");
  EXPECT_EQ(fault("{}"), "messages must be an array of messages");
  EXPECT_NE(fault(R"({"messages":[]})").find("must end in"), std::string::npos);
  EXPECT_NE(fault(R"({"messages":[{"role":"assistant","content":"Yes."}]})").find("must end in"),
            std::string::npos);
  EXPECT_NE(fault(R"({"messages":[{"role":"oracle","content":"x"}]})").find("role"),
            std::string::npos);
  EXPECT_NE(fault(R"({"messages":[{"role":"user","content":["x"]}]})").find("content"),
            std::string::npos);
  EXPECT_NE(fault(R"({"messages":["x"]})").find("object"), std::string::npos);
  EXPECT_NE(fault(R"({"messages":[{"role":"user","content":"x","weight":1}]})").find("weight"),
            std::string::npos);
  EXPECT_NE(fault(kPair).find("messages"), std::string::npos) << "pairs are no conversation";
  EXPECT_NE(fault(kTea, Stage::kDpo).find("input"), std::string::npos);
  std::string none(kTea);
  none.replace(none.find("\"Yes.\""), 6, "\"Yes.\",\"weight\":0");
  EXPECT_EQ(fault(none), "every message of the assistant has weight 0");
}

TEST(ChatRows, WhatCannotBeTaughtIsRefused) {
  std::string line(kTea);
  line.insert(1, R"("tools":[{"type":"function"}],)");
  EXPECT_EQ(parse_chat_line(line, Stage::kSft).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(parse_chat_line(kTea, Stage::kKto).error().code, ErrorCode::kUnsupported);
}

TEST(ChatRows, AreBounded) {
  EXPECT_NE(fault(std::string(kChatLineBytesMax + 1, ' ')).find("longer than"), std::string::npos);
  std::string line = R"({"messages":[)";
  for (std::size_t i = 0; i <= kChatMessagesMax; ++i)
    line += R"({"role":"assistant","content":"x"},)";
  line.back() = ']';
  EXPECT_NE(fault(line + "}").find("at most"), std::string::npos);
}

TEST(ChatRows, AFileIsCheckedLineByLine) {
  EXPECT_EQ(check_chat_rows(format("{}\n{}\n", kTea, kTea), Stage::kSft).value(), 2U);
  EXPECT_EQ(check_chat_rows(kTea, Stage::kSft).value(), 1U) << "the last line needs no end";
  EXPECT_NE(check_chat_rows("", Stage::kSft).error().message.find("empty"), std::string::npos);
  const auto wrong = check_chat_rows(format("{}\n\n{}\n", kTea, kTea), Stage::kSft);
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().message.starts_with("line 2: ")) << wrong.error().message;
}

TEST(ChatRows, KnowTheirLine) {
  const env::Path file = std::filesystem::temp_directory_path() / env::random_id("loam-chat-");
  ASSERT_TRUE(env::write_file_atomic(file, format("{}\n{}\nno\n", kTea, kTea)));
  std::vector<std::string> records;
  const auto read = read_chat_rows(
      file, Stage::kSft,
      [&](const ViewRow& row) -> Result<> {
        records.push_back(row.record);
        return {};
      },
      [](auto, auto) { return true; });
  EXPECT_EQ(records, (std::vector<std::string>{"line 1", "line 2"}));
  EXPECT_NE(read.error().message.find(":3: "), std::string::npos);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace loam::tuning
