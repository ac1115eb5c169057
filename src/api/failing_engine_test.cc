// What clients see when an engine fails, with an engine that does as it is told.
#include "api/testing/test_node.h"

namespace loam::api {
namespace {

using testing::at;
using testing::sse_frames;

/// Takes requests and leaves their events to the test.
class ScriptedEngine final : public engine::Engine {
 public:
  struct Script {
    std::mutex mutex;
    std::vector<engine::EventSink> sinks;
    std::vector<engine::RequestId> cancelled;
    std::optional<Error> refusal;
    std::size_t refuse_from = 0;  // the first so many requests are taken
  };
  explicit ScriptedEngine(Script& script) : script_(script) {
    info_.context = 1000;
    info_.sequences_max = 4;
    info_.vocabulary = 1000;
    info_.end_tokens = {2};
  }
  const engine::ModelInfo& info() const override { return info_; }
  Result<std::vector<engine::TokenId>> tokenize(std::string_view, engine::SpecialTokens,
                                                bool) override {
    return std::vector<engine::TokenId>{5, 6, 7};
  }
  Result<std::string> detokenize(const std::vector<engine::TokenId>&) override { return "567"; }
  Result<engine::RenderedChat> render(const std::vector<engine::ChatMessage>&, bool) override {
    return engine::RenderedChat{"x", {5, 6, 7}, {}};
  }
  Result<std::vector<engine::Embedding>> embed(
      const std::vector<std::vector<engine::TokenId>>&) override {
    return fail(ErrorCode::kUnavailable, "the worker died");
  }
  Result<engine::RequestId> generate(engine::GenerateRequest, engine::EventSink sink) override {
    const std::scoped_lock lock(script_.mutex);
    if (script_.refusal && script_.sinks.size() >= script_.refuse_from)
      return std::unexpected(*script_.refusal);
    script_.sinks.push_back(std::move(sink));
    return engine::RequestId{script_.sinks.size()};
  }
  void cancel(engine::RequestId id) override {
    const std::scoped_lock lock(script_.mutex);
    script_.cancelled.push_back(id);
  }
  engine::EngineStats stats() override { return {}; }
  bool broken(std::string*) override { return false; }

 private:
  Script& script_;
  engine::ModelInfo info_;
};

class FailingEngineTest : public testing::NodeTest {
 protected:
  void SetUp() override {
    NodeTest::SetUp();
    app_.reset();
    residency_ = pool::Residency::create(
        *catalog_,
        [this](const pool::EngineOrder&) -> Result<std::unique_ptr<engine::Engine>> {
          if (load_error_) return std::unexpected(*load_error_);
          return std::make_unique<ScriptedEngine>(script_);
        },
        pool::ResidencyOptions{}, clock_);
    app_ =
        App::create(Services{*catalog_, *residency_, *keys_, *answers_, *log_, *sharing_, *search_,
                             *following_, *blobs_, *files_, *training_, *rollouts_, clock_, [] {}},
                    settings_);
  }
  void TearDown() override {
    {
      const std::scoped_lock lock(script_.mutex);
      script_.sinks.clear();
    }
    NodeTest::TearDown();
  }
  std::shared_ptr<http::TestAnswer> begin_chat(const std::string& fields) {
    return begin(http::test_request(
        http::Method::kPost, "/v1/chat/completions",
        R"({"model":"tiny","messages":[{"role":"user","content":"x"}],)" + fields + "}"));
  }
  /// The same with the owner's consent.
  std::shared_ptr<http::TestAnswer> begin_shared(const std::string& fields) {
    http::Request request = http::test_request(
        http::Method::kPost, "/v1/chat/completions",
        R"({"model":"tiny","messages":[{"role":"user","content":"x"}],)" + fields +
            R"(,"commons":{"publish":true,"licence":"CC0-1.0","scope":["eval"]}})");
    request.headers.add("Authorization", "Bearer " + owner_);
    return begin(std::move(request));
  }
  /// Gives an event to the request once it has arrived.
  void give(std::size_t request, engine::Event event) {
    engine::EventSink sink;
    while (sink == nullptr) {
      const std::scoped_lock lock(script_.mutex);
      if (script_.sinks.size() > request) sink = script_.sinks[request];
    }
    sink(std::move(event));
  }

  ScriptedEngine::Script script_;
  std::optional<Error> load_error_;
};

engine::RequestFailed worker_died() {
  return {Error{ErrorCode::kUnavailable, "the engine's worker died; the request may be repeated"}};
}

TEST_F(FailingEngineTest, AWorkerThatDiesBeforeTheFirstTokenIs503) {
  std::size_t request = 0;
  for (const char* fields : {R"("stream":true)", R"("stream":false)"}) {
    const auto answer = begin_chat(fields);
    give(request++, worker_died());
    const auto seen = answer->wait();
    EXPECT_EQ(seen.status, 503);
    EXPECT_FALSE(seen.streamed);
    EXPECT_TRUE(seen.body.contains("worker died"));
  }
}

TEST_F(FailingEngineTest, AWorkerThatDiesLaterEndsTheStreamWithAnError) {
  const auto answer = begin_chat(R"("stream":true)");
  give(0, engine::Delta{0, "Hello", {}});
  give(0, worker_died());
  const auto seen = answer->wait();
  EXPECT_EQ(seen.status, 200);
  const auto frames = sse_frames(seen.body);
  EXPECT_EQ(at(frames.back(), "error", "code"), "unavailable");
  EXPECT_EQ(at(frames[frames.size() - 2], "choices", 0, "delta", "content"), "Hello");
}

TEST_F(FailingEngineTest, IfOnePromptIsRefusedTheOthersAreCancelled) {
  script_.refusal = Error{ErrorCode::kResourceExhausted, "the queue is full"};
  script_.refuse_from = 2;
  const auto seen = begin(http::test_request(http::Method::kPost, "/v1/completions",
                                             R"({"model":"tiny","prompt":["a","b","c"]})"))
                        ->wait();
  EXPECT_EQ(seen.status, 429);
  EXPECT_EQ(script_.cancelled.size(), 2U);
}

TEST_F(FailingEngineTest, ADisconnectCancelsEveryPrompt) {
  const auto answer =
      begin(http::test_request(http::Method::kPost, "/v1/completions",
                               R"({"model":"tiny","prompt":["a","b","c"],"stream":true})"));
  give(2, engine::Delta{0, "x", {}});
  answer->wait_for("data:");
  answer->disconnect();
  EXPECT_EQ(script_.cancelled.size(), 3U);
}

TEST_F(FailingEngineTest, EventsAfterTheAppIsGoneDoNothing) {
  const auto answer = begin_chat(R"("stream":true)");
  give(0, engine::Delta{0, "Hello", {}});
  answer->wait_for("Hello");
  app_.reset();
  give(0, engine::Delta{0, "more", {}});
  give(0, engine::ChoiceDone{0, engine::FinishReason::kStop, {1}, {0}});
  give(0, engine::RequestDone{});
  EXPECT_FALSE(answer->seen().body.contains("more"));
  EXPECT_EQ(script_.cancelled.size(), 1U);
}

TEST_F(FailingEngineTest, TheEndTokenIsListedInCompletionsLogprobs) {
  const auto answer = begin(http::test_request(http::Method::kPost, "/v1/completions",
                                               R"({"model":"tiny","prompt":"a","logprobs":0})"));
  engine::TokenInfo token;
  token.bytes = "x";
  token.logprob = -1;
  give(0, engine::Delta{0, "x", {token}});
  give(0, engine::ChoiceDone{0, engine::FinishReason::kStop, {9, 2}, {-2048, -1024}});
  give(0, engine::RequestDone{3, 0, 2, 0, 0, 0});
  const auto seen = answer->wait();
  const auto json = codec::parse_json(seen.body).value();
  EXPECT_EQ(codec::to_json(at(json, "choices", 0, "logprobs")),
            R"({"tokens":["x",""],"token_logprobs":[-1.0,-0.5],)"
            R"("top_logprobs":[{"x":-1.0},{"":-0.5}],"text_offset":[0,1]})");
}

TEST_F(FailingEngineTest, AnAnswerThatFailedIsNotShared) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  for (const char* fields : {R"("stream":true)", R"("stream":false)"}) {
    const std::size_t request = script_.sinks.size();
    const auto answer = begin_shared(fields);
    give(request, engine::Delta{0, "Hello", {}});
    give(request, worker_died());
    EXPECT_TRUE(answer->wait().body.contains("worker died"));
  }
  EXPECT_TRUE(sharing_->list(10)->empty());
}

TEST_F(FailingEngineTest, AConsentThatWasWithdrawnMeanwhileSharesNothingAndSaysSo) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  const auto answer = begin_shared(R"("stream":false)");
  give(0, engine::Delta{0, "Hello", {}});
  ASSERT_TRUE(sharing_->withdraw_standing());
  give(0, engine::ChoiceDone{0, engine::FinishReason::kStop, {9, 2}, {-2048, -1024}});
  give(0, engine::RequestDone{3, 0, 2, 0, 0, 0});
  const auto seen = answer->wait();
  EXPECT_EQ(seen.status, 200);
  const auto json = codec::parse_json(seen.body).value();
  EXPECT_EQ(at(json, "choices", 0, "message", "content"), "Hello");
  EXPECT_EQ(at(json, "commons", "state"), "failed");
  EXPECT_EQ(at(json, "commons", "error", "code"), "no_standing_consent");
  EXPECT_TRUE(sharing_->list(10)->empty());
}

TEST_F(FailingEngineTest, AClientThatLeftBeforeTheEndSharesNothing) {
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.eval = true}));
  const auto answer = begin_shared(R"("stream":true)");
  give(0, engine::Delta{0, "Hello", {}});
  give(0, engine::ChoiceDone{0, engine::FinishReason::kStop, {9, 2}, {-2048, -1024}});
  answer->wait_for("Hello");
  answer->disconnect();
  give(0, engine::RequestDone{3, 0, 2, 0, 0, 0});
  app_.reset();
  EXPECT_TRUE(sharing_->list(10)->empty());
}

TEST_F(FailingEngineTest, AModelThatCannotBeLoadedSaysWhy) {
  load_error_ = Error{ErrorCode::kCorrupt, "load tiny.gguf: tensor data is truncated"};
  auto seen = begin_chat(R"("stream":true)")->wait();
  EXPECT_EQ(seen.status, 500);
  EXPECT_TRUE(seen.body.contains("tiny.gguf"));
  ASSERT_NE(seen.headers.find("x-should-retry"), nullptr);
  load_error_ = Error{ErrorCode::kDeadlineExceeded, "load tiny.gguf: took too long"};
  EXPECT_EQ(begin_chat(R"("stream":true)")->wait().status, 504);
}

TEST_F(FailingEngineTest, EmbeddingsOfADeadWorkerAre503) {
  const auto seen = begin(http::test_request(http::Method::kPost, "/v1/embeddings",
                                             R"({"model":"tiny","input":"a"})"))
                        ->wait();
  EXPECT_EQ(seen.status, 503);
}

}  // namespace
}  // namespace loam::api
