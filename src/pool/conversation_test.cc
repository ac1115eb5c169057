#include "pool/conversation.h"

#include <gtest/gtest.h>

namespace loam::pool {
namespace {

constexpr const char* kChat = R"([{"role":"system","content":"Be short."},
  {"role":"user","content":"Why?"},{"role":"assistant","content":"So."},
  {"role":"user","content":[{"type":"text","text":"Why "},{"type":"text","text":"so?"}]}])";

TEST(Conversation, IsReadFromMessagesAndFromText) {
  EXPECT_EQ(said_in(kChat, "x").prompt, (std::vector<std::string>{"Why?", "So.", "Why so?"}));
  EXPECT_EQ(said_in(R"("Rain is")", "wet").prompt, std::vector<std::string>{"Rain is"});
  for (const char* none : {"[1,2,3]", "[]", "{", "7", R"([{"role":"user"}])"})
    EXPECT_TRUE(said_in(none, "x").prompt.empty()) << none;
}

TEST(Conversation, EarlierAndLaterTurnsShareWords) {
  const Said first{{"Why?"}, "So."}, second{{"Why?", "So.", "Why so?"}, "Ask."};
  EXPECT_TRUE(shares_words(second, first));
  EXPECT_TRUE(shares_words(first, second));
  EXPECT_TRUE(shares_words({{"Why?"}, "Another answer."}, first));  // asked the same
}

TEST(Conversation, WhatIsQuotedElsewhereIsShared) {
  const Said gone{{"What is a quartzneedle?"}, "A thin crystal of quartz."};
  EXPECT_TRUE(shares_words({{"Say it shorter: A thin crystal of quartz."}, "No."}, gone));
  EXPECT_TRUE(shares_words({{"My question: What is a quartzneedle?"}, "Well."}, gone));
}

TEST(Conversation, CommonWordsOfOthersAreNotShared) {
  const Said gone{{"Why?", "So.", "Go on"}, "Yes."};
  EXPECT_FALSE(shares_words({{"Tell a tale", "Once.", "Go on"}, "Yes."}, gone));
  EXPECT_FALSE(shares_words({{}, "Yes."}, gone));  // asked with tokens
  EXPECT_FALSE(shares_words({{"Why not?"}, "So."}, {{}, "Yes."}));
}

}  // namespace
}  // namespace loam::pool
