#include "cli/chat_session.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace loam::cli {
namespace {

using Do = ChatSession::Do;

ChatSession session() { return ChatSession("smollm2", {}); }

TEST(ChatSession, ALineIsAQuestionAndTheAnswerJoinsTheConversation) {
  auto chat = session();
  EXPECT_EQ(chat.take_line("Hello").action, Do::kAsk);
  EXPECT_EQ(chat.messages(), (std::vector<Message>{{"user", "Hello"}}));
  chat.answered("Hi");
  EXPECT_EQ(chat.take_line("  And now? ").action, Do::kAsk);
  EXPECT_EQ(chat.messages(),
            (std::vector<Message>{{"user", "Hello"}, {"assistant", "Hi"}, {"user", "And now?"}}));
}

TEST(ChatSession, AnEmptyLineAsksNothing) {
  auto chat = session();
  EXPECT_EQ(chat.take_line("").action, Do::kRead);
  EXPECT_EQ(chat.take_line("   ").action, Do::kRead);
  EXPECT_EQ(chat.take_line("\"\"\" \"\"\"").action, Do::kRead);
  EXPECT_TRUE(chat.messages().empty());
}

TEST(ChatSession, AQuestionWithoutAnAnswerIsTakenBack) {
  auto chat = session();
  chat.take_line("Hello");
  chat.failed();
  EXPECT_TRUE(chat.messages().empty());
  chat.take_line("Hello");
  chat.answered("Hi");
  chat.failed();
  EXPECT_EQ(chat.messages().size(), 2U);
}

TEST(ChatSession, ThreeQuotesHoldAMessageOfSeveralLines) {
  auto chat = session();
  EXPECT_EQ(chat.prompt(), ">>> ");
  EXPECT_EQ(chat.take_line("\"\"\"first").action, Do::kRead);
  EXPECT_EQ(chat.prompt(), "... ");
  EXPECT_EQ(chat.take_line("/bye is text here").action, Do::kRead);
  EXPECT_EQ(chat.take_line("").action, Do::kRead);
  EXPECT_EQ(chat.take_line("last\"\"\"").action, Do::kAsk);
  EXPECT_EQ(chat.prompt(), ">>> ");
  EXPECT_EQ(chat.messages().back().content, "first\n/bye is text here\n\nlast");
  EXPECT_EQ(chat.take_line("\"\"\"/one line\"\"\"").action, Do::kAsk);
  EXPECT_EQ(chat.messages().back().content, "/one line");
}

TEST(ChatSession, AnInterruptionDropsTheUnfinishedMessage) {
  auto chat = session();
  chat.take_line("\"\"\"first");
  chat.drop_input();
  EXPECT_EQ(chat.prompt(), ">>> ");
  chat.take_line("second");
  EXPECT_EQ(chat.messages().back().content, "second");
}

TEST(ChatSession, CommandsDoWhatTheySay) {
  auto chat = session();
  EXPECT_EQ(chat.take_line("/help").action, Do::kPrint);
  EXPECT_EQ(chat.take_line("/bye").action, Do::kQuit);
  chat.take_line("Hello");
  EXPECT_EQ(chat.take_line("/clear").action, Do::kPrint);
  EXPECT_TRUE(chat.messages().empty());
  chat.take_line("/system Be short");
  EXPECT_EQ(chat.settings().system, "Be short");
  chat.take_line("/system");
  EXPECT_FALSE(chat.settings().system);
  const auto save = chat.take_line("/save my chat");
  EXPECT_EQ(save.action, Do::kSave);
  EXPECT_EQ(save.text, "my chat");
  EXPECT_EQ(chat.take_line("/load x").action, Do::kLoad);
  EXPECT_EQ(chat.take_line("/save").action, Do::kPrint);
  EXPECT_NE(chat.take_line("/halp").text.find("did you mean /help?"), std::string::npos);
}

TEST(ChatSession, SharesAnAnswerOnlyWhenThereIsOne) {
  ChatSession chat("tiny", {});
  EXPECT_EQ(chat.take_line("/share").action, Do::kPrint);
  chat.take_line("Why?");
  chat.answered("Because.");
  const auto step = chat.take_line("/share CC0-1.0");
  EXPECT_EQ(step.action, Do::kShare);
  EXPECT_EQ(step.text, "CC0-1.0");
}

TEST(ChatSession, SettingsAreCheckedAndCanBeTakenBack) {
  auto chat = session();
  chat.take_line("/set temperature 0.5");
  chat.take_line("/set top_k 40");
  chat.take_line("/set stop END");
  EXPECT_EQ(chat.settings().temperature, 0.5);
  EXPECT_EQ(chat.settings().top_k, 40);
  EXPECT_EQ(chat.settings().stop, (std::vector<std::string>{"END"}));
  EXPECT_NE(chat.take_line("/set top_k many").text.find("expected a whole number"),
            std::string::npos);
  EXPECT_EQ(chat.settings().top_k, 40);
  chat.take_line("/set top_k");
  EXPECT_FALSE(chat.settings().top_k);
  chat.take_line("/set verbose");
  EXPECT_TRUE(chat.verbose());
  chat.take_line("/set verbose off");
  EXPECT_FALSE(chat.verbose());
  EXPECT_NE(chat.take_line("/set heat 1").text.find("/set NAME VALUE"), std::string::npos);
  EXPECT_NE(chat.take_line("/show").text.find("temperature 0.5"), std::string::npos);
}

TEST(ChatSession, WhatIsSavedLoadsAgain) {
  auto chat = session();
  chat.take_line("/system Be short");
  chat.take_line("/set seed 7");
  chat.take_line("Hello");
  chat.answered("Hi");
  const auto saved = codec::parse_json(codec::to_json(chat.to_value()));
  ASSERT_TRUE(saved);
  auto other = session();
  ASSERT_TRUE(other.load(*saved));
  EXPECT_EQ(other.messages(), chat.messages());
  EXPECT_EQ(other.settings().system, "Be short");
  EXPECT_EQ(other.settings().seed, 7);
}

TEST(ChatSession, SomethingElseThanASavedChatIsRefusedAndChangesNothing) {
  auto chat = session();
  chat.take_line("Hello");
  for (const char* text : {"{}", "[]", R"({"messages": 5})", R"({"messages": [{"role": "root"}]})"})
    EXPECT_FALSE(chat.load(*codec::parse_json(text))) << text;
  EXPECT_EQ(chat.messages().size(), 1U);
}

TEST(Generation, TheBodyHoldsWhatWasSetAndNothingElse) {
  GenerationSettings settings;
  settings.system = "S";
  settings.temperature = 0;
  settings.stop = {"a"};
  EXPECT_EQ(codec::to_json(chat_body("m", {{"user", "U"}}, settings)),
            R"({"model":"m","messages":[{"role":"system","content":"S"},)"
            R"({"role":"user","content":"U"}],"temperature":0.0,"stop":["a"],"stream":true,)"
            R"("stream_options":{"include_usage":true}})");
}

TEST(Generation, FiguresCountTheTimeAfterTheFirstToken) {
  GeneratedAnswer answer;
  answer.prompt_tokens = 42;
  answer.output_tokens = 101;
  answer.first_ms = 500;
  answer.total_ms = 2500;
  EXPECT_EQ(figures(answer), "42 tokens read, 101 written, first after 0.50 s, 50.0 tokens/s");
}

}  // namespace
}  // namespace loam::cli
