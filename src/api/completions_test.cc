#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::Reply;
using testing::sse_frames;
using testing::text_of;

class CompletionsTest : public testing::NodeTest {
 protected:
  static std::string body(const std::string& fields) {
    return R"({"model":"tiny","temperature":0,)" + fields + "}";
  }
  Reply complete(const std::string& fields) { return post("/v1/completions", body(fields)); }
};

TEST_F(CompletionsTest, AnswersWhole) {
  const Reply reply = complete(R"("prompt":"the tide")");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(text_of(at(reply.json, "id")).starts_with("cmpl-"));
  EXPECT_EQ(at(reply.json, "object"), "text_completion");
  EXPECT_EQ(at(reply.json, "usage", "completion_tokens"), 16);
  EXPECT_FALSE(text_of(at(reply.json, "choices", 0, "text")).empty());
  EXPECT_TRUE(at(reply.json, "choices", 0).find("logprobs")->is_null());
}

TEST_F(CompletionsTest, SeveralPromptsHaveTheirChoicesInOrder) {
  const Reply reply = complete(R"("prompt":["the tide","a river"],"n":2)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_EQ(items(at(reply.json, "choices")).size(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(at(reply.json, "choices", i, "index"), i);
  // Greedy: the choices of one prompt are the same, those of the other are not.
  EXPECT_EQ(at(reply.json, "choices", 0, "text"), at(reply.json, "choices", 1, "text"));
  EXPECT_NE(at(reply.json, "choices", 0, "text"), at(reply.json, "choices", 2, "text"));
}

TEST_F(CompletionsTest, TokensAndTextOfAPromptMeanTheSame) {
  const Reply tokens = post("/tokenize", R"({"prompt":"the tide"})");
  const Reply by_text = complete(R"("prompt":"the tide")");
  const Reply by_tokens = complete(R"("prompt":)" + codec::to_json(at(tokens.json, "tokens")));
  EXPECT_EQ(at(by_text.json, "choices", 0, "text"), at(by_tokens.json, "choices", 0, "text"));
}

TEST_F(CompletionsTest, EchoWithLogprobsHasThePromptAndTheGeneratedToken) {
  const Reply reply =
      complete(R"("prompt":[256,116,104,101],"max_tokens":1,"logprobs":1,"echo":true,"seed":1234)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const codec::Value logprobs = at(reply.json, "choices", 0, "logprobs");
  for (const char* list : {"tokens", "token_logprobs", "top_logprobs", "text_offset"})
    EXPECT_EQ(items(at(logprobs, list)).size(), 5U) << list;
  EXPECT_TRUE(text_of(at(reply.json, "choices", 0, "text")).starts_with("<s>the"));
  EXPECT_EQ(at(logprobs, "tokens", 1), "t");
  EXPECT_EQ(at(logprobs, "text_offset", 1), 3);
  for (std::size_t i = 1; i < 5; ++i) {
    const double chosen = at(logprobs, "token_logprobs", i).number();
    EXPECT_LE(chosen, 0);
    bool found = false;
    const codec::Value top = at(logprobs, "top_logprobs", i);
    for (const auto& [name, value] : *top.as_object()) found = found || value.number() >= chosen;
    EXPECT_TRUE(found);
  }
}

TEST_F(CompletionsTest, AnEndTokenStillCountsInEchoedLogprobs) {
  // After these bytes greedy decoding ends the turn at once for some prompt; whatever ends it, the
  // lists hold the prompt and one token more, or a client that drops the last would be wrong.
  for (int length = 230; length < 260; ++length) {
    std::string tokens = "256";
    for (int i = 1; i < length; ++i)
      tokens += i % 4 == 0 ? ",32" : i % 4 == 1 ? ",116" : i % 4 == 2 ? ",104" : ",101";
    const Reply reply =
        complete(R"("prompt":[)" + tokens + R"(],"max_tokens":1,"logprobs":0,"echo":true)");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const codec::Value list = at(reply.json, "choices", 0, "logprobs", "tokens");
    EXPECT_EQ(items(list).size(), static_cast<std::size_t>(length + 1));
  }
}

TEST_F(CompletionsTest, EchoOfTextIsTheTextItself) {
  Reply reply = complete(R"("prompt":"the tide","max_tokens":0,"echo":true)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(at(reply.json, "choices", 0, "text"), "the tide");
  EXPECT_EQ(at(reply.json, "choices", 0, "finish_reason"), "length");
  reply = complete(R"("prompt":"the tide","max_tokens":0,"echo":true,"logprobs":0)");
  std::string joined;
  for (const codec::Value& token : items(at(reply.json, "choices", 0, "logprobs", "tokens")))
    joined += *token.as_string();
  EXPECT_EQ(joined, "the tide");
  EXPECT_EQ(at(reply.json, "choices", 0, "logprobs", "text_offset", 1), 0);
}

TEST_F(CompletionsTest, StreamsTheSameTextAndOffsets) {
  const std::string fields = R"("prompt":"the tide","echo":true,"logprobs":1,"max_tokens":20)";
  const Reply whole = complete(fields);
  const Reply streamed = complete(fields + R"(,"stream":true)");
  const auto frames = sse_frames(streamed.body);
  EXPECT_EQ(frames.back(), "[DONE]");
  std::string text;
  codec::Array offsets;
  for (const codec::Value& frame : frames) {
    text += text_of(at(frame, "choices", 0, "text"));
    for (const codec::Value& offset : items(at(frame, "choices", 0, "logprobs", "text_offset")))
      offsets.push_back(offset);
  }
  EXPECT_EQ(text, text_of(at(whole.json, "choices", 0, "text")));
  EXPECT_EQ(codec::Value(offsets), at(whole.json, "choices", 0, "logprobs", "text_offset"));
}

TEST_F(CompletionsTest, TheStoredAnswerIsWithoutTheEcho) {
  const Reply reply = complete(R"("prompt":"the tide","echo":true)");
  answers_->flush();
  const auto answer = answers_->find("local", text_of(at(reply.json, "id")), 0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ("the tide" + answer->text, text_of(at(reply.json, "choices", 0, "text")));
  EXPECT_EQ(answer->prompt_json, R"("the tide")");
}

TEST_F(CompletionsTest, TokensOutsideTheVocabularyAreRefused) {
  EXPECT_EQ(complete(R"("prompt":[999999])").error("param"), "prompt");
  EXPECT_EQ(complete(R"("prompt":[999999],"echo":true)").status, 400);
}

}  // namespace
}  // namespace loam::api
