#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::items;
using testing::Reply;
using testing::sse_frames;
using testing::text_of;

class ChatTest : public testing::NodeTest {
 protected:
  static std::string body(const std::string& fields = {}) {
    return R"({"model":"tiny","messages":[{"role":"user","content":"Tell me of the tide."}],)"
           R"("seed":7,"max_tokens":24)" +
           (fields.empty() ? "" : "," + fields) + "}";
  }
  Reply chat(const std::string& fields = {}) { return post("/v1/chat/completions", body(fields)); }
  std::vector<codec::Value> stream(const std::string& fields = {}) {
    const Reply reply = chat(R"("stream":true)" + (fields.empty() ? "" : "," + fields));
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.header("content-type"), "text/event-stream");
    return sse_frames(reply.body);
  }
};

TEST_F(ChatTest, AnswersWhole) {
  const Reply reply = chat();
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("content-type"), "application/json");
  EXPECT_TRUE(reply.header("x-request-id").starts_with("req_"));
  EXPECT_TRUE(text_of(at(reply.json, "id")).starts_with("chatcmpl-"));
  EXPECT_EQ(at(reply.json, "object"), "chat.completion");
  EXPECT_EQ(at(reply.json, "model"), "tiny");
  EXPECT_TRUE(text_of(at(reply.json, "system_fingerprint")).starts_with("fp_"));
  const codec::Value choice = at(reply.json, "choices", 0);
  EXPECT_EQ(at(choice, "message", "role"), "assistant");
  EXPECT_FALSE(text_of(at(choice, "message", "content")).empty());
  EXPECT_EQ(at(choice, "finish_reason"), "length");
  ASSERT_NE(choice.find("logprobs"), nullptr);
  EXPECT_TRUE(choice.find("logprobs")->is_null());
  ASSERT_NE(choice.find("message")->find("refusal"), nullptr);
  EXPECT_EQ(at(reply.json, "usage", "completion_tokens"), 24);
  const std::int64_t prompt = *at(reply.json, "usage", "prompt_tokens").as_int();
  EXPECT_EQ(at(reply.json, "usage", "total_tokens"), prompt + 24);
}

TEST_F(ChatTest, TheSameSeedGivesTheSameAnswer) {
  const auto content = [](const Reply& reply) {
    return text_of(at(reply.json, "choices", 0, "message", "content"));
  };
  const std::string first = content(chat());
  EXPECT_EQ(content(chat()), first);
  EXPECT_EQ(content(chat(R"("stop":null)")), first);
}

TEST_F(ChatTest, StreamsTheSameAnswerInChunks) {
  const std::string whole = text_of(at(chat().json, "choices", 0, "message", "content"));
  const auto frames = stream();
  ASSERT_GE(frames.size(), 4U);
  EXPECT_EQ(at(frames.front(), "choices", 0, "delta", "role"), "assistant");
  EXPECT_EQ(frames.back(), "[DONE]");
  std::string joined;
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    EXPECT_EQ(at(frames[i], "object"), "chat.completion.chunk");
    EXPECT_EQ(at(frames[i], "id"), at(frames[0], "id"));
    EXPECT_EQ(frames[i].find("usage"), nullptr);
    const codec::Value choice = at(frames[i], "choices", 0);
    for (const char* key : {"index", "delta", "finish_reason", "logprobs"})
      EXPECT_NE(choice.find(key), nullptr) << key;
    joined += text_of(at(choice, "delta", "content"));
  }
  EXPECT_EQ(joined, whole);
  const codec::Value last = at(frames[frames.size() - 2], "choices", 0);
  EXPECT_EQ(at(last, "finish_reason"), "length");
  EXPECT_EQ(*last.find("delta"), codec::Value(codec::Object{}));
}

TEST_F(ChatTest, TheUsageChunkHasNoChoices) {
  const auto frames = stream(R"("stream_options":{"include_usage":true})");
  const codec::Value& usage = frames[frames.size() - 2];
  EXPECT_EQ(at(usage, "choices"), codec::Value(codec::Array{}));
  EXPECT_EQ(at(usage, "usage", "completion_tokens"), 24);
  ASSERT_NE(frames[0].find("usage"), nullptr);
  EXPECT_TRUE(frames[0].find("usage")->is_null());
}

TEST_F(ChatTest, SeveralChoicesDiffer) {
  const Reply reply = chat(R"("n":3)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  ASSERT_EQ(items(at(reply.json, "choices")).size(), 3U);
  EXPECT_EQ(at(reply.json, "choices", 2, "index"), 2);
  EXPECT_NE(at(reply.json, "choices", 0, "message"), at(reply.json, "choices", 1, "message"));
  EXPECT_EQ(at(reply.json, "usage", "completion_tokens"), 72);
}

TEST_F(ChatTest, LogprobsCoverTheText) {
  const Reply reply = chat(R"("logprobs":true,"top_logprobs":2)");
  const codec::Value list = at(reply.json, "choices", 0, "logprobs", "content");
  ASSERT_NE(list.as_array(), nullptr) << reply.body;
  ASSERT_EQ(items(list).size(), 24U);
  std::string bytes;
  for (const codec::Value& token : items(list)) {
    EXPECT_EQ(items(at(token, "top_logprobs")).size(), 2U);
    EXPECT_LE(at(token, "logprob").number(), 0);
    for (const codec::Value& byte : items(at(token, "bytes")))
      bytes += static_cast<char>(*byte.as_int());
  }
  EXPECT_TRUE(
      bytes.starts_with(text_of(at(reply.json, "choices", 0, "message", "content")).substr(0, 8)));
}

TEST_F(ChatTest, StreamedLogprobsAreInTheChunks) {
  std::size_t tokens = 0;
  for (const codec::Value& frame : stream(R"("logprobs":true)"))
    tokens += items(at(frame, "choices", 0, "logprobs", "content")).size();
  EXPECT_EQ(tokens, 24U);
}

TEST_F(ChatTest, StopStringsEndTheAnswerAndAreNotInIt) {
  const std::string whole = text_of(at(chat().json, "choices", 0, "message", "content"));
  const std::string stop = whole.substr(5, 3);
  const Reply reply = chat(R"("stop":)" + codec::to_json(stop));
  EXPECT_EQ(at(reply.json, "choices", 0, "finish_reason"), "stop");
  EXPECT_FALSE(text_of(at(reply.json, "choices", 0, "message", "content")).contains(stop));
}

TEST_F(ChatTest, AnUnknownModelIs404) {
  const Reply reply = post("/v1/chat/completions",
                           R"({"model":"nope","messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.error("code"), "model_not_found");
  EXPECT_EQ(reply.error("param"), "model");
}

TEST_F(ChatTest, WhatDoesNotFitTheContextIsRefusedWithTheNumbers) {
  settings_.load.context = 64;
  start();
  Reply reply = chat(R"("max_completion_tokens":1000000)");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.error("code"), "context_length_exceeded");
  EXPECT_EQ(reply.error("param"), "max_completion_tokens");
  EXPECT_TRUE(reply.error("message").contains("64"));
  EXPECT_TRUE(reply.error("message").contains("1000000"));
  reply = post("/v1/chat/completions", R"({"model":"tiny","messages":[{"role":"user","content":")" +
                                           std::string(500, 'x') + R"("}]})");
  EXPECT_EQ(reply.error("code"), "context_length_exceeded");
  EXPECT_EQ(reply.error("param"), "messages");
}

TEST_F(ChatTest, BiasForATokenOutsideTheVocabularyIsRefused) {
  EXPECT_EQ(chat(R"("logit_bias":{"999999":1})").error("param"), "logit_bias");
}

TEST_F(ChatTest, AFullQueueIs429BeforeAnyStream) {
  settings_.load.sequences_max = 1;
  settings_.load.queue_max = 1;
  step_ms_ = 20;
  start();
  std::vector<std::shared_ptr<http::TestAnswer>> running;
  int refused = 0;
  for (int i = 0; i < 6; ++i) {
    running.push_back(begin(http::test_request(http::Method::kPost, "/v1/chat/completions",
                                               body(R"("stream":true,"ignore_eos":true)"))));
    if (i == 0) running[0]->wait_for("delta");  // the model is loaded from here on
  }
  for (const auto& answer : running) {
    const auto seen = answer->wait();
    if (seen.status != 429) continue;
    ++refused;
    EXPECT_NE(seen.headers.find("retry-after"), nullptr);
    EXPECT_FALSE(seen.streamed);
  }
  EXPECT_GE(refused, 1);
}

TEST_F(ChatTest, AClientThatLeavesFreesItsSequence) {
  step_ms_ = 5;
  start();
  const auto answer = begin(http::test_request(
      http::Method::kPost, "/v1/chat/completions",
      R"({"model":"tiny","messages":[{"role":"user","content":"x"}],"stream":true,)"
      R"("ignore_eos":true,"max_tokens":3000})"));
  answer->wait_for("delta");
  answer->disconnect();
  std::uint32_t running = 1;
  for (int i = 0; i < 1000 && running > 0; ++i) {
    running = residency_->list().at(0).stats.running;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(running, 0U);
}

TEST_F(ChatTest, ASilentStreamIsKeptAlive) {
  settings_.heartbeat_ms = 20;
  step_ms_ = 300;
  start();
  const auto answer = begin(
      http::test_request(http::Method::kPost, "/v1/chat/completions", body(R"("stream":true)")));
  const auto seen = answer->wait_for(": keep-alive\n\n");
  EXPECT_TRUE(seen.body.contains(": keep-alive\n\n")) << seen.body;
  answer->disconnect();
}

TEST_F(ChatTest, ManyRequestsForAColdModelLoadItOnce) {
  std::vector<std::shared_ptr<http::TestAnswer>> all;
  for (int i = 0; i < 12; ++i)
    all.push_back(begin(http::test_request(http::Method::kPost, "/v1/chat/completions", body())));
  for (const auto& answer : all) EXPECT_EQ(answer->wait().status, 200);
  EXPECT_EQ(loads_, 1);
}

TEST_F(ChatTest, EachAnswerIsKeptForItsCallerWithWhatAnAuditNeeds) {
  const std::string key = new_key({.infer = true});
  const Reply reply = post("/v1/chat/completions", body(R"("n":2,"temperature":0.5)"), key);
  answers_->flush();
  const std::string caller = keys_->identify(key)->id;
  const auto answer = answers_->find(caller, text_of(at(reply.json, "id")), 1);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->text, text_of(at(reply.json, "choices", 1, "message", "content")));
  EXPECT_EQ(answer->output_tokens.size(), 24U);
  EXPECT_EQ(answer->lp16.size(), 24U);
  EXPECT_EQ(answer->sampling.temperature, 500'000);
  EXPECT_EQ(answer->seed_mode, engine::SeedMode::kInteger);
  EXPECT_EQ(answer->seed_entropy, engine::integer_entropy(7));
  EXPECT_EQ(answer->model_name, "tiny");
  EXPECT_TRUE(answer->prompt_json.contains("Tell me of the tide."));
  EXPECT_FALSE(answers_->find("local", answer->reply_id, 1).has_value());
}

TEST_F(ChatTest, StoreFalseKeepsNothing) {
  chat(R"("store":false)");
  answers_->flush();
  EXPECT_TRUE(answers_->list("local", 10)->empty());
}

TEST_F(ChatTest, ErrorsNeverRepeatThePrompt) {
  const Reply reply =
      post("/v1/chat/completions", R"({"model":"tiny","messages":"planted-secret"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_FALSE(reply.body.contains("planted-secret"));
}

}  // namespace
}  // namespace loam::api
