// A session against a worker that the test plays, on a clock that the test moves.
#include "engine/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "engine/testing/collector.h"
#include "env/thread.h"

namespace loam::engine {
namespace {

using protocol::CallId;
using testing::Collector;
using testing::request_for;

TokenInfo token(TokenId id) {
  TokenInfo t;
  t.token = id;
  t.bytes = "x";
  return t;
}

/// Stands still until told otherwise, for several threads.
class StepClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return now_ms_; }
  std::int64_t steady_ms() override { return now_ms_; }
  void advance_ms(std::int64_t by) { now_ms_ += by; }

 private:
  std::atomic<std::int64_t> now_ms_{1'000'000};
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    ModelInfo info;
    info.context = 100;
    info.vocabulary = 300;
    info.sequences_max = 2;
    LoadOptions options;
    options.sequences_max = 2;
    options.queue_max = 1;
    session_.set_loaded(info, options);
  }

  Collector ask(std::uint64_t id, std::uint32_t tokens_max = 5, std::size_t choices = 1) {
    Collector answer;
    GenerateRequest request = request_for("ask", tokens_max, choices);
    request.id = RequestId{id};
    EXPECT_TRUE(session_.generate(std::move(request), answer.sink()));
    return answer;
  }
  bool accepts(std::uint64_t id, Event event) {
    return session_.receive(protocol::RequestEvent{RequestId{id}, std::move(event)}).has_value();
  }
  /// What the worker finds on its end.
  protocol::ToWorker sent() {
    for (;;) {
      const auto frame = reader_.next();
      if (frame && *frame) return *protocol::parse_to_worker(**frame);
      const auto filled = reader_.fill();
      if (!filled || *filled == FrameReader::Filled::kClosed) return protocol::Shutdown{};
      if (*filled == FrameReader::Filled::kEmpty) std::this_thread::yield();
    }
  }

  SocketPair pair_ = *make_socket_pair();
  FrameReader reader_{pair_.theirs.get(), protocol::kFrameBytesMax, Descriptors::kAccept};
  StepClock clock_;
  std::atomic<int> wakes_{0};
  SupervisionLimits limits_;
  Session session_{pair_.ours.get(), "model test", limits_, clock_, [this] { ++wakes_; }};
};

TEST_F(SessionTest, DeliversAnAnswerAndForgetsIt) {
  const Collector answer = ask(1);
  EXPECT_TRUE(session_.busy());
  EXPECT_TRUE(accepts(1, Delta{0, "x", {token(5)}}));
  EXPECT_TRUE(accepts(1, ChoiceDone{0, FinishReason::kStop, {5}, {0}}));
  EXPECT_TRUE(accepts(1, RequestDone{}));
  EXPECT_FALSE(session_.busy());
  EXPECT_EQ(session_.finished(), 1U);
  EXPECT_EQ(answer.events().size(), 3U);
}

TEST_F(SessionTest, EventsOfUnknownAndCancelledRequestsAreDropped) {
  const Collector answer = ask(1);
  EXPECT_TRUE(accepts(77, Delta{0, "x", {token(5)}}));
  session_.cancel(RequestId{1});
  EXPECT_TRUE(accepts(1, Delta{0, "x", {token(5)}}));
  EXPECT_TRUE(accepts(1, RequestDone{}));
  EXPECT_TRUE(answer.events().empty());
  EXPECT_TRUE(std::holds_alternative<protocol::Generate>(sent()));
  EXPECT_TRUE(std::holds_alternative<protocol::Cancel>(sent()));
}

TEST_F(SessionTest, ACancelOfSomethingUnknownSendsNothing) {
  session_.cancel(RequestId{5});
  EXPECT_EQ(*reader_.fill(), FrameReader::Filled::kEmpty);
}

TEST_F(SessionTest, MoreThanWasAskedForIsNonsense) {
  ask(1, 2);
  EXPECT_FALSE(accepts(1, Delta{1, "x", {}}));
  EXPECT_FALSE(accepts(1, Delta{0, "x", {token(300)}}));
  EXPECT_FALSE(accepts(1, Delta{0, "x", std::vector<TokenInfo>(4, token(1))}));
  EXPECT_FALSE(accepts(1, ChoiceDone{2, FinishReason::kStop, {}, {}}));
  EXPECT_FALSE(accepts(1, RequestDone{}));
  EXPECT_TRUE(accepts(1, PromptScored{{token(1)}}));
  EXPECT_FALSE(accepts(1, PromptScored{{token(1)}}));
  EXPECT_TRUE(accepts(1, ChoiceDone{0, FinishReason::kStop, {}, {}}));
  EXPECT_FALSE(accepts(1, ChoiceDone{0, FinishReason::kStop, {}, {}}));
  EXPECT_FALSE(accepts(1, Delta{0, "late", {}}));
}

TEST_F(SessionTest, AnEndlessStreamOfDeltasIsNonsense) {
  ask(1, 3);
  int accepted = 0;
  while (accepts(1, Delta{0, "x", {}})) ++accepted;
  EXPECT_LE(accepted, 5);
  ask(2, std::numeric_limits<std::uint32_t>::max());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(accepts(2, Delta{0, "x", {token(1)}}));
}

TEST_F(SessionTest, GreetingsAndUnaskedAnswersAreNonsense) {
  EXPECT_FALSE(session_.receive(protocol::Hello{}));
  EXPECT_FALSE(session_.receive(protocol::Loaded{}));
  EXPECT_FALSE(session_.receive(protocol::Tokenized{CallId{9}, {}}));
  EXPECT_FALSE(session_.receive(protocol::CallStarted{CallId{9}}));
}

TEST_F(SessionTest, TheQueueIsCountedInSequences) {
  ask(1, 5, 2);  // takes both places
  const Collector waiting = ask(2);
  Collector refused;
  GenerateRequest request = request_for("third", 1);
  request.id = RequestId{3};
  const auto full = session_.generate(request, refused.sink());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  // One choice ends: the waiting one gets its place, and there is room in the queue again.
  EXPECT_TRUE(accepts(1, ChoiceDone{0, FinishReason::kStop, {}, {}}));
  EXPECT_TRUE(session_.generate(request, refused.sink()));
}

class SessionCall : public SessionTest {
 protected:
  /// Makes a call in another thread; its id.
  CallId begin() {
    caller_ = env::start_thread("caller", [this](const std::stop_token&) {
      result_ = session_.call<protocol::Tokenized>("tokenize", limits_.call_ms, [](CallId id) {
        return protocol::Tokenize{id, "text", SpecialTokens::kParse, false};
      });
    });
    return std::get<protocol::Tokenize>(sent()).id;
  }
  const Result<protocol::Tokenized>& result() {
    caller_.join();
    return *result_;
  }
  std::optional<Result<protocol::Tokenized>> result_;
  std::jthread caller_;
};

TEST_F(SessionCall, IsAnswered) {
  const CallId id = begin();
  EXPECT_TRUE(session_.receive(protocol::CallStarted{id}));
  EXPECT_TRUE(session_.receive(protocol::Tokenized{id, {1, 2}}));
  EXPECT_EQ(result()->tokens, (std::vector<TokenId>{1, 2}));
  EXPECT_FALSE(session_.busy());
}

TEST_F(SessionCall, FailsWithTheErrorOfTheWorker) {
  const CallId id = begin();
  EXPECT_TRUE(session_.receive(protocol::CallFailed{id, {ErrorCode::kUnsupported, "no"}}));
  EXPECT_EQ(result().error().code, ErrorCode::kUnsupported);
}

TEST_F(SessionCall, AnAnswerToAnotherCallThanWasMadeIsNonsense) {
  const CallId id = begin();
  EXPECT_FALSE(session_.receive(protocol::Detokenized{id, "x"}));
  session_.close({ErrorCode::kUnavailable, "stopped"});
  EXPECT_EQ(result().error().code, ErrorCode::kUnavailable);
}

TEST_F(SessionCall, ItsTimeRunsFromItsTurnOn) {
  const CallId id = begin();
  while (!session_.busy()) std::this_thread::yield();
  clock_.advance_ms(limits_.step_ms - 1);  // behind a long step
  EXPECT_FALSE(session_.overdue());
  EXPECT_TRUE(session_.receive(protocol::CallStarted{id}));
  clock_.advance_ms(limits_.call_ms);
  EXPECT_FALSE(session_.overdue());
  clock_.advance_ms(1);
  const auto overdue = session_.overdue();
  ASSERT_TRUE(overdue);
  EXPECT_EQ(overdue->call, id);
  EXPECT_EQ(overdue->what, "tokenize took longer than 10000 ms");
  session_.close({ErrorCode::kUnavailable, "stopped"}, overdue);
  EXPECT_EQ(result().error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(SessionTest, AnySignOfLifeKeepsAStepFromBeingOverdue) {
  clock_.advance_ms(10 * limits_.step_ms);
  EXPECT_FALSE(session_.overdue()) << "idle";
  const Collector answer = ask(1);
  EXPECT_FALSE(session_.overdue()) << "idle until now";
  clock_.advance_ms(limits_.step_ms);
  EXPECT_TRUE(session_.receive(protocol::Stats{}));
  clock_.advance_ms(limits_.step_ms);
  EXPECT_FALSE(session_.overdue());
  clock_.advance_ms(1);
  ASSERT_TRUE(session_.overdue());
  EXPECT_FALSE(session_.overdue()->call);
}

TEST_F(SessionTest, OnceClosedEverythingFails) {
  const Collector answer = ask(1);
  session_.close({ErrorCode::kUnavailable, "gone"});
  session_.close({ErrorCode::kInternal, "twice"});
  ASSERT_EQ(answer.events().size(), 1U);
  EXPECT_EQ(answer.all<RequestFailed>().at(0).error.message, "gone");
  GenerateRequest request = request_for("late", 1);
  request.id = RequestId{2};
  const Collector late;
  EXPECT_FALSE(session_.generate(request, late.sink()));
  EXPECT_TRUE(late.events().empty());
  EXPECT_FALSE(session_.send(protocol::Shutdown{}));
}

TEST_F(SessionTest, AWorkerThatDoesNotReadIsNotWrittenToForEver) {
  std::optional<Error> refused;
  const protocol::Detokenize large{CallId{1}, std::vector<TokenId>(12U << 20)};
  for (int i = 0; i < 20 && !refused; ++i)
    if (const auto sent = session_.send(large); !sent) refused = sent.error();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(session_.has_unsent());
}

TEST_F(SessionTest, AMessageThatIsTooLargeIsRefusedAtOnce) {
  const auto sent = session_.send(
      protocol::Detokenize{CallId{1}, std::vector<TokenId>(protocol::kFrameBytesMax / 4)});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::engine
