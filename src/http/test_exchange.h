// Twin of the server's Exchange: records the answer in process, for tests of handlers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/exchange.h"
#include "http/reply.h"

namespace loam::http {

/// The client's view of one answer; outlives the Exchange. Thread-safe.
class TestAnswer {
 public:
  struct Seen {
    int status = 0;  // 0 until the answer has begun
    Headers headers;
    std::string body;       // a stream's chunks joined
    bool streamed = false;  // by begin_stream()
    bool complete = false;
    bool broken = false;  // a stream that can no longer end properly
  };
  /// What has arrived until now.
  Seen seen();
  /// Waits until the answer is complete or broken, `timeout_ms` at most.
  Seen wait(std::int64_t timeout_ms = 10'000);
  /// Waits until `text` has arrived in the body or the answer is over, `timeout_ms` at most.
  Seen wait_for(std::string_view text, std::int64_t timeout_ms = 10'000);
  /// The client goes away, as if its connection broke.
  void disconnect();

  explicit TestAnswer(std::size_t stream_buffer_bytes_max);
  ~TestAnswer();
  TestAnswer(const TestAnswer&) = delete;
  TestAnswer& operator=(const TestAnswer&) = delete;

 private:
  friend class TestExchange;
  struct State;
  std::shared_ptr<State> state_;
};

/// `auto exchange = std::make_shared<TestExchange>(test_request(Method::kPost,
/// "/v1/x", body)); handler(exchange);
/// exchange->answer()->wait().status`. To test a dropped Exchange, keep answer() and let go of
/// the rest.
class TestExchange final : public ReplyExchange {
 public:
  /// A stream that runs this far ahead of what the test has looked at is cut off.
  static constexpr std::size_t kStreamBufferBytesMax = 64U << 20;
  explicit TestExchange(Request request,
                        std::size_t stream_buffer_bytes_max = kStreamBufferBytesMax);

  const std::shared_ptr<TestAnswer>& answer() const { return answer_; }

 private:
  TestExchange(Request request, std::shared_ptr<TestAnswer> answer);
  std::shared_ptr<TestAnswer> answer_;
};

/// Requests as a loopback client sends them; `target` may have a query.
Request test_request(Method method, std::string_view target, std::string body = {});

}  // namespace loam::http
