#include "http/test_exchange.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "env/clock.h"
#include "env/random.h"

namespace loam::http {

/// Shared with the Reply's wake, which may run while the last TestAnswer is being dropped.
struct TestAnswer::State {
  std::mutex wake_mutex;  // taken inside the reply's lock: never held while calling the reply
  std::condition_variable news;
  bool fresh = false;  // the reply has something that was not taken yet

  std::mutex seen_mutex;
  Seen seen;
  std::shared_ptr<Reply> reply;

  Seen take() {
    const std::scoped_lock lock(seen_mutex);
    Reply::Piece piece = reply->take();
    if (piece.head) {
      seen.status = piece.head->status;
      seen.headers = std::move(piece.head->headers);
      seen.streamed = !piece.head->length;
    }
    seen.body += piece.body;
    if (piece.outcome == Reply::Outcome::kComplete) seen.complete = true;
    if (piece.outcome == Reply::Outcome::kBroken) seen.broken = true;
    if (piece.outcome == Reply::Outcome::kUnanswered) {
      seen.status = 500;
      seen.complete = true;
    }
    return seen;
  }

  template <class Enough>
  Seen wait(std::int64_t timeout_ms, Enough enough) {
    env::SystemClock clock;
    const std::int64_t deadline_ms = clock.steady_ms() + timeout_ms;
    for (;;) {
      Seen now = take();
      const std::int64_t left_ms = deadline_ms - clock.steady_ms();
      if (now.complete || now.broken || left_ms <= 0 || enough(now)) return now;
      std::unique_lock lock(wake_mutex);
      news.wait_for(lock, std::chrono::milliseconds(left_ms),
                    [this] { return std::exchange(fresh, false); });
    }
  }
};

TestAnswer::TestAnswer(std::size_t stream_buffer_bytes_max) : state_(std::make_shared<State>()) {
  state_->reply = std::make_shared<Reply>(stream_buffer_bytes_max, [state = state_] {
    {
      const std::scoped_lock lock(state->wake_mutex);
      state->fresh = true;
    }
    state->news.notify_all();
  });
}

TestAnswer::~TestAnswer() { state_->reply->detach(); }

TestAnswer::Seen TestAnswer::seen() { return state_->take(); }

TestAnswer::Seen TestAnswer::wait(std::int64_t timeout_ms) {
  return state_->wait(timeout_ms, [](const Seen&) { return false; });
}

TestAnswer::Seen TestAnswer::wait_for(std::string_view text, std::int64_t timeout_ms) {
  return state_->wait(timeout_ms, [&](const Seen& seen) { return seen.body.contains(text); });
}

void TestAnswer::disconnect() { state_->reply->client_left(); }

TestExchange::TestExchange(Request request, std::size_t stream_buffer_bytes_max)
    : TestExchange(std::move(request), std::make_shared<TestAnswer>(stream_buffer_bytes_max)) {}

TestExchange::TestExchange(Request request, std::shared_ptr<TestAnswer> answer)
    : ReplyExchange(std::move(request), answer->state_->reply), answer_(std::move(answer)) {}

Request test_request(Method method, std::string_view target, std::string body) {
  Request request;
  request.method = method;
  const std::size_t question = target.find('?');
  request.path = percent_decode(target.substr(0, question)).value_or("/");
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.headers.add("host", "127.0.0.1");
  request.body = std::move(body);
  request.id = env::random_id("req_");
  request.peer_is_loopback = true;
  return request;
}

}  // namespace loam::http
