// The worker's loop, with the test as the node.
#include "engine/worker_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "engine/testing/collector.h"
#include "env/thread.h"

namespace loam::engine {
namespace {

using protocol::CallId;
using testing::request_for;

/// Moves on by a good deal whenever it is looked at, so that whatever is due, is due at once.
class JumpingClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return now_ms_ += 1000; }
  std::int64_t steady_ms() override { return now_ms_ += 1000; }

 private:
  std::atomic<std::int64_t> now_ms_{1'000'000};
};

class WorkerLoopTest : public ::testing::Test {
 protected:
  WorkerLoopTest() {
    loop_ = std::make_unique<WorkerLoop>(std::move(pair_.theirs), clock_);
    thread_ = env::start_thread("worker", [this](const std::stop_token&) { end_ = loop_->run(); });
  }
  ~WorkerLoopTest() override { hang_up(); }

  void send(const protocol::ToWorker& message) {
    writer_.put(protocol::encode(message));
    ASSERT_TRUE(writer_.flush());
  }
  void send_raw(const Bytes& payload) {
    writer_.put(payload);
    ASSERT_TRUE(writer_.flush());
  }
  /// The next message; Shutdown's place is taken by an empty one when the worker is gone.
  std::optional<protocol::FromWorker> receive() {
    for (;;) {
      const auto frame = reader_.next();
      if (!frame) return std::nullopt;
      if (*frame) return *protocol::parse_from_worker(**frame);
      const auto filled = reader_.fill();
      if (!filled || *filled == FrameReader::Filled::kClosed) return std::nullopt;
      if (*filled == FrameReader::Filled::kEmpty)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  /// The next message of that kind.
  template <class Kind>
  std::optional<Kind> receive_one() {
    while (auto message = receive())
      if (auto* one = std::get_if<Kind>(&*message)) return std::move(*one);
    return std::nullopt;
  }
  void load(LoadOptions options = {}) {
    send(protocol::Hello{});
    ASSERT_TRUE(receive_one<protocol::Hello>());
    protocol::Load load;
    load.options = options;
    load.fake = true;
    send(load);
    ASSERT_TRUE(receive_one<protocol::Loaded>());
  }
  void hang_up() { pair_.ours = env::Fd(); }
  WorkerEnd end() {
    thread_.join();
    return end_;
  }

  JumpingClock clock_;
  SocketPair pair_ = *make_socket_pair();
  FrameReader reader_{pair_.ours.get(), protocol::kFrameBytesMax, Descriptors::kRefuse};
  FrameWriter writer_{pair_.ours.get()};
  std::unique_ptr<WorkerLoop> loop_;
  WorkerEnd end_ = WorkerEnd::kBroken;
  std::jthread thread_;  // joined before what it uses goes
};

TEST_F(WorkerLoopTest, EndsPolitelyWhenAskedTo) {
  load();
  send(protocol::Shutdown{});
  EXPECT_EQ(end(), WorkerEnd::kPolite);
}

TEST_F(WorkerLoopTest, EndsWhenTheNodeIsGone) {
  load();
  hang_up();
  EXPECT_EQ(end(), WorkerEnd::kPolite);
}

TEST_F(WorkerLoopTest, EndsWhenTheNodeIsGoneInTheMiddleOfAnAnswer) {
  load();
  send(protocol::Generate{request_for("a long answer", 4000)});
  ASSERT_TRUE(receive_one<protocol::RequestEvent>());
  hang_up();
  EXPECT_EQ(end(), WorkerEnd::kPolite);
}

TEST_F(WorkerLoopTest, DoesNothingBeforeItIsGreetedAndLoaded) {
  send(protocol::Tokenize{CallId{1}, "x", SpecialTokens::kParse, false});
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, LoadsNothingBeforeItIsGreeted) {
  protocol::Load load;
  load.fake = true;
  send(load);
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, AnAdapterComesWithItsFile) {
  send(protocol::Hello{});
  ASSERT_TRUE(receive_one<protocol::Hello>());
  send(protocol::Adapter{});
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, LoadsOnce) {
  load();
  protocol::Load again;
  again.fake = true;
  send(again);
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, TellsItsVersionToANodeOfAnother) {
  send(protocol::Hello{protocol::kVersion + 1});
  const auto hello = receive_one<protocol::Hello>();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, protocol::kVersion);
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, EndsOnWhatItDoesNotUnderstand) {
  load();
  send_raw({0xff});
  EXPECT_EQ(end(), WorkerEnd::kConfused);
}

TEST_F(WorkerLoopTest, SaysWhyALoadFailed) {
  send(protocol::Hello{});
  send(protocol::Load{});  // no file comes with it
  const auto failed = receive_one<protocol::LoadFailed>();
  ASSERT_TRUE(failed);
  EXPECT_NE(failed->error.message.find("no model file"), std::string::npos);
  EXPECT_EQ(end(), WorkerEnd::kBroken);
}

TEST_F(WorkerLoopTest, StopsGeneratingWhileTheNodeDoesNotRead) {
  LoadOptions options;
  options.context = 32'000;
  options.sequences_max = 16;
  load(options);
  // The answers weigh more than socket and worker may hold, by far.
  for (std::uint64_t id = 1; id <= 16; ++id) {
    GenerateRequest request = request_for("go on", 31'000);
    request.id = RequestId{id};
    request.top_logprobs = 20;
    send(protocol::Generate{request});
  }
  ASSERT_TRUE(receive_one<protocol::RequestEvent>());
  // Not read: after a while nothing new comes from the scheduler.
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  send(protocol::Tokenize{CallId{7}, "x", SpecialTokens::kParse, false});
  std::size_t bytes = 0;
  for (;;) {
    const auto message = receive();
    ASSERT_TRUE(message);
    if (std::holds_alternative<protocol::Tokenized>(*message)) break;
    bytes += protocol::encode(*message).size();
  }
  // What waited, a step, and what was made while the call was on its way.
  EXPECT_LT(bytes, 6U << 20);
  hang_up();
  EXPECT_EQ(end(), WorkerEnd::kPolite);
}

TEST_F(WorkerLoopTest, SendsCountersBeforeTheEndOfARequestAndAfterACancel) {
  load();
  GenerateRequest request = request_for("count", 3);
  request.id = RequestId{1};
  send(protocol::Generate{request});
  EngineStats last;
  for (;;) {
    const auto message = receive();
    ASSERT_TRUE(message);
    if (const auto* stats = std::get_if<protocol::Stats>(&*message)) last = stats->stats;
    if (const auto* event = std::get_if<protocol::RequestEvent>(&*message))
      if (protocol::is_last(event->event)) break;
  }
  EXPECT_EQ(last.output_tokens, 3U);
  EXPECT_EQ(last.running, 0U);
  send(protocol::Cancel{RequestId{1}});
  EXPECT_TRUE(receive_one<protocol::Stats>());
}

TEST_F(WorkerLoopTest, GivesSignsOfLifeWhileALongPromptHasNoAnswerYet) {
  LoadOptions options;
  options.chunk_tokens = 64;
  load(options);
  send(protocol::Generate{request_for(std::string(1000, 'x'), 1)});
  int signs = 0;
  for (;;) {
    const auto message = receive();
    ASSERT_TRUE(message);
    if (std::holds_alternative<protocol::RequestEvent>(*message)) break;
    ASSERT_TRUE(std::holds_alternative<protocol::Stats>(*message));
    ++signs;
  }
  EXPECT_GE(signs, 10);
}

TEST_F(WorkerLoopTest, ARequestBeyondItsOwnBoundIsRefused) {
  LoadOptions options;
  options.sequences_max = 1;
  options.queue_max = 1;
  load(options);
  // In one piece, so that no step comes between them.
  for (std::uint64_t id = 1; id <= 8; ++id) {
    GenerateRequest request = request_for("crowd", 2);
    request.id = RequestId{id};
    writer_.put(protocol::encode(protocol::ToWorker(protocol::Generate{request})));
  }
  ASSERT_TRUE(writer_.flush());
  int done = 0, refused = 0;
  while (done + refused < 8) {
    const auto event = receive_one<protocol::RequestEvent>();
    ASSERT_TRUE(event);
    if (std::holds_alternative<RequestDone>(event->event)) ++done;
    if (const auto* failed = std::get_if<RequestFailed>(&event->event)) {
      EXPECT_EQ(failed->error.code, ErrorCode::kResourceExhausted);
      ++refused;
    }
  }
  EXPECT_GE(done, 2);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace loam::engine
