// The engine over the fake model: the whole path through the protocol and the worker's loop.
#include "engine/worker_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/testing/collector.h"

namespace loam::engine {
namespace {

using testing::Collector;
using testing::request_for;

std::unique_ptr<Engine> start(LoadOptions options = {}, int step_ms = 0) {
  auto engine = start_fake_engine(options, step_ms);
  EXPECT_TRUE(engine.has_value()) << (engine ? "" : engine.error().message);
  return engine ? std::move(*engine) : nullptr;
}

TEST(FakeEngine, KnowsItsModelOnceStarted) {
  const auto engine = start();
  EXPECT_EQ(engine->info().architecture, "fake");
  EXPECT_EQ(engine->info().vocabulary, 260U);
  EXPECT_FALSE(engine->broken(nullptr));
}

TEST(FakeEngine, AnAnswerComesInOrderAndEnds) {
  const auto engine = start();
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("Why is the sky blue?", 20), answer.sink()));
  ASSERT_TRUE(answer.wait_end());
  const auto events = answer.events();
  ASSERT_TRUE(std::holds_alternative<RequestDone>(events.back()));
  ASSERT_TRUE(std::holds_alternative<ChoiceDone>(events[events.size() - 2]));
  const auto done = std::get<RequestDone>(events.back());
  EXPECT_EQ(done.prompt_tokens, 20U);
  EXPECT_EQ(done.output_tokens, 20U);
  const auto choice = answer.all<ChoiceDone>().at(0);
  EXPECT_EQ(choice.reason, FinishReason::kLength);
  EXPECT_EQ(choice.tokens.size(), 20U);
  std::string bytes;
  for (const Delta& delta : answer.all<Delta>())
    for (const TokenInfo& token : delta.tokens) bytes += token.bytes;
  EXPECT_TRUE(bytes.starts_with(answer.text()) || answer.text().starts_with(bytes));
  EXPECT_FALSE(answer.text().empty());
}

TEST(FakeEngine, TheSameSeedGivesTheSameAnswerAndAnotherAnother) {
  const auto engine = start();
  const Collector first, second;
  ASSERT_TRUE(engine->generate(request_for("once", 40, 2), first.sink()));
  ASSERT_TRUE(engine->generate(request_for("once", 40, 2), second.sink()));
  ASSERT_TRUE(first.wait_end() && second.wait_end());
  EXPECT_EQ(first.text(0), second.text(0));
  EXPECT_EQ(first.text(1), second.text(1));
  EXPECT_NE(first.text(0), first.text(1));
  EXPECT_EQ(first.all<ChoiceDone>().size(), 2U);
  EXPECT_EQ(first.all<RequestDone>().size(), 1U);
}

TEST(FakeEngine, PromptScoresAndAlternativesComeThrough) {
  const auto engine = start();
  const Collector answer;
  GenerateRequest request = request_for("abc", 3);
  request.prompt_logprobs = true;
  request.top_logprobs = 2;
  ASSERT_TRUE(engine->generate(std::move(request), answer.sink()));
  ASSERT_TRUE(answer.wait_end());
  const auto scored = answer.all<PromptScored>();
  ASSERT_EQ(scored.size(), 1U);
  ASSERT_EQ(scored[0].tokens.size(), 3U);
  EXPECT_EQ(scored[0].tokens[1].bytes, "b");
  EXPECT_EQ(scored[0].tokens[2].top.size(), 2U);
  EXPECT_LT(scored[0].tokens[2].logprob, 0);
}

TEST(FakeEngine, MoreRequestsThanSequencesAllEnd) {
  LoadOptions options;
  options.sequences_max = 2;
  options.queue_max = 30;
  const auto engine = start(options);
  std::vector<Collector> answers(32);
  for (const Collector& answer : answers)
    ASSERT_TRUE(engine->generate(request_for("many", 5), answer.sink()));
  for (const Collector& answer : answers) {
    ASSERT_TRUE(answer.wait_end());
    EXPECT_EQ(answer.all<RequestDone>().size(), 1U);
  }
}

TEST(FakeEngine, AFullQueueRefusesAndTakesAgainLater) {
  LoadOptions options;
  options.sequences_max = 1;
  options.queue_max = 1;
  const auto engine = start(options, 2);
  const Collector running, waiting, refused, later;
  ASSERT_TRUE(engine->generate(request_for("first", 1000), running.sink()));
  const auto second = engine->generate(request_for("second", 1), waiting.sink());
  ASSERT_TRUE(second);
  const auto third = engine->generate(request_for("third", 1), refused.sink());
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(refused.events().empty());
  engine->cancel(*second);
  ASSERT_TRUE(engine->generate(request_for("later", 1), later.sink()));
}

TEST(FakeEngine, ACancelledRequestSaysNothingMoreAndFreesItsPlace) {
  LoadOptions options;
  options.sequences_max = 1;
  const auto engine = start(options, 1);
  const Collector cancelled, next;
  const auto id = engine->generate(request_for("on and on", 4000), cancelled.sink());
  ASSERT_TRUE(id);
  ASSERT_TRUE(cancelled.wait_events(3));
  engine->cancel(*id);
  engine->cancel(*id);
  engine->cancel(RequestId{99'999});
  ASSERT_TRUE(engine->generate(request_for("next", 3), next.sink()));
  ASSERT_TRUE(next.wait_end());
  EXPECT_TRUE(cancelled.all<RequestDone>().empty());
  EXPECT_TRUE(cancelled.all<RequestFailed>().empty());
  EXPECT_EQ(engine->stats().running, 0U);
}

TEST(FakeEngine, ASinkMayCancelItsOwnRequest) {
  const auto engine = start();
  const Collector other;
  std::atomic<std::uint64_t> id{0};
  std::atomic<int> events{0};
  const auto started = engine->generate(request_for("stop me", 2000), [&](const Event&) {
    ++events;
    if (id != 0) engine->cancel(RequestId{id});
  });
  ASSERT_TRUE(started);
  id = started->value;
  ASSERT_TRUE(engine->generate(request_for("other", 50), other.sink()));
  EXPECT_TRUE(other.wait_end());
  EXPECT_LT(events, 2000);
}

TEST(FakeEngine, CountersIncludeARequestThatEnded) {
  const auto engine = start();
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("12345", 7), answer.sink()));
  ASSERT_TRUE(answer.wait_end());
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.prompt_tokens, 5U);
  EXPECT_EQ(stats.output_tokens, 7U);
  EXPECT_GT(stats.steps, 0U);
  EXPECT_EQ(stats.waiting, 0U);
}

TEST(FakeEngine, CallsAreAnswered) {
  const auto engine = start();
  const auto tokens = engine->tokenize("hé</s>", SpecialTokens::kParse, true);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(*tokens, (std::vector<TokenId>{256, 'h', 0xc3, 0xa9, 257}));
  EXPECT_EQ(*engine->detokenize(*tokens), "<s>hé</s>");
  EXPECT_EQ(engine->tokenize("</s>", SpecialTokens::kPlainText, false)->size(), 4U);
  const auto chat = engine->render({{"user", "hi", ""}}, true);
  ASSERT_TRUE(chat);
  EXPECT_EQ(chat->text, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(chat->tokens.front(), 256);
  const auto vectors = engine->embed({{1, 2, 3}, {4}});
  ASSERT_TRUE(vectors);
  ASSERT_EQ(vectors->size(), 2U);
  double square = 0;
  for (const float x : vectors->at(0).vector) square += double{x} * double{x};
  EXPECT_NEAR(square, 1, 1e-5);
  EXPECT_TRUE(engine->embed({})->empty());
}

TEST(FakeEngine, ErrorsOfTheModelComeThrough) {
  const auto engine = start();
  const auto chat = engine->render({{"wizard", "hi", ""}}, true);
  ASSERT_FALSE(chat);
  EXPECT_EQ(chat.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(chat.error().message.find("wizard"), std::string::npos);
  EXPECT_FALSE(chat.error().hint.empty());
  EXPECT_FALSE(engine->embed({{1}, {}}));
}

TEST(FakeEngine, CallsAreAnsweredBetweenTheStepsOfALongAnswer) {
  const auto engine = start({}, 1);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("long", 1000), answer.sink()));
  ASSERT_TRUE(answer.wait_events(1));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine->tokenize("x", SpecialTokens::kParse, false));
  ASSERT_TRUE(engine->embed(std::vector<std::vector<TokenId>>(30, {1, 2})));
  EXPECT_TRUE(answer.all<RequestDone>().empty());
}

TEST(FakeEngine, RefusesWhatCannotBeAsked) {
  LoadOptions options;
  options.context = 100;
  const auto engine = start(options);
  const Collector none;
  const auto refused = [&](GenerateRequest request) {
    const auto result = engine->generate(std::move(request), none.sink());
    return !result && result.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(request_for("", 10)));
  EXPECT_TRUE(refused(request_for("0123456789", 91)));
  EXPECT_TRUE(refused(request_for("x", 10, 0)));
  EXPECT_TRUE(refused(request_for("x", 10, 1000)));
  GenerateRequest request = request_for("x", 10);
  request.prompt = {260};
  EXPECT_TRUE(refused(request));
  request.prompt = {-1};
  EXPECT_TRUE(refused(request));
  request = request_for("x", 10);
  request.stop = {""};
  EXPECT_TRUE(refused(request));
  request = request_for("x", 10);
  request.top_logprobs = 21;
  EXPECT_TRUE(refused(request));
  request = request_for("x", 10);
  request.sampling.logit_bias = {{5, 1}, {4, 1}};
  EXPECT_TRUE(refused(request));
  EXPECT_FALSE(engine->detokenize({260}));
  EXPECT_FALSE(engine->tokenize("\xff", SpecialTokens::kParse, false));
  EXPECT_TRUE(none.events().empty());
  EXPECT_TRUE(engine->generate(request_for("0123456789", 90), none.sink()));
}

TEST(FakeEngine, UnloadingFailsWhatIsUnderWay) {
  auto engine = start({}, 1);
  const Collector answer;
  ASSERT_TRUE(engine->generate(request_for("unfinished", 4000), answer.sink()));
  ASSERT_TRUE(answer.wait_events(1));
  engine.reset();
  ASSERT_TRUE(answer.wait_end());
  EXPECT_EQ(answer.all<RequestFailed>().at(0).error.code, ErrorCode::kUnavailable);
}

TEST(FakeEngine, ManyThreadsMayAskAtOnce) {
  const auto engine = start();
  std::vector<std::jthread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const Collector answer;
        const auto id = engine->generate(request_for("thread", 10), answer.sink());
        const auto tokens = engine->tokenize("text", SpecialTokens::kParse, false);
        if (id && (i + t) % 3 == 0) engine->cancel(*id);
        const bool ended = (i + t) % 3 == 0 || answer.wait_end();
        if (id && tokens && ended) ++good;
      }
    });
  threads.clear();
  EXPECT_EQ(good, 80);
}

TEST(FakeEngine, RefusesLoadOptionsThatCannotBe) {
  LoadOptions options;
  options.sequences_max = 0;
  const auto engine = start_fake_engine(options);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::engine
