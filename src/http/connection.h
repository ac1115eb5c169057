// One client's connection: reads requests, has them handled, sends the answers, watches the time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "env/clock.h"
#include "http/network.h"
#include "http/reply.h"
#include "http/reply_head.h"
#include "http/request_reader.h"
#include "http/server.h"

namespace loam::http {

/// What a connection needs of its server, which outlives it. All calls are thread-safe.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual const Limits& limits() const = 0;
  /// Has the request handled on another thread. False if too many wait.
  virtual bool dispatch(const ExchangePtr& exchange) = 0;
  virtual Response refusal(int status, std::string_view message) = 0;
  /// Bytes of request bodies that the connection holds more (or less) than before; false if all
  /// connections together now hold too many.
  virtual bool hold_body_bytes(std::int64_t more) = 0;
  virtual void closed(std::uint64_t connection) = 0;
};

/// States and their ways:
///
///   opening -> reading -> answering -> reading ...   (keep-alive)
///                 |           |
///                 +-> refusing+-> finishing -> closed
///
/// A read is under way in every state but closed (unless a client has sent far ahead), because that
/// is how the loss of a client is noticed. Everything but wake-ups happens on the transport's
/// strand, so nothing here is locked. Held by shared_ptr, because its callbacks are what keeps it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `host` must outlive this.
  Connection(std::uint64_t id, ConnectionHost& host, std::unique_ptr<Transport> transport);

  // Thread-safe; each takes effect soon.
  void start();
  /// Answers 503 without reading, and closes.
  void start_full();
  /// Closes once the answer under way, if any, is sent.
  void finish_soon();
  /// Closes now.
  void cut();

 private:
  enum class State { kOpening, kReading, kAnswering, kRefusing, kFinishing, kClosed };
  using Progress = RequestReader::Progress;

  void arm_read();
  void on_read(Transport::Read read, std::string_view data);
  void on_end();
  /// Goes on as far as the bytes that are here allow.
  void step();
  void enter_reading();
  void watch_progress();
  void count_body_bytes();
  void dispatch();
  void refuse(int status, std::string_view message);
  std::string refusal_bytes(int status, std::string_view message);
  void pump();
  void append_head(const Reply::Head& head);
  void append_body(std::string_view body, bool last);
  void finish_answer();

  void send(std::string_view bytes);
  void write_some();
  void on_written(std::size_t written);
  /// Says goodbye. If the client may still be sending, waits a little for it to close first:
  /// closing with unread input would reset the connection and take the reply back out of its hands.
  void finish();
  void close();

  void set_deadline(std::int64_t after_ms);
  void clear_deadline() { deadline_ms_ = 0; }
  void arm_timer();
  void on_deadline();

  const std::uint64_t id_;
  ConnectionHost& host_;
  const Limits& limits_;
  const std::unique_ptr<Transport> transport_;
  env::SystemClock clock_;

  State state_ = State::kOpening;
  RequestReader reader_;
  Progress watched_ = Progress::kIdle;  // what the deadline is for, in kReading
  bool reading_ = false;                // a read is under way
  bool peer_ended_ = false;             // the client sends no more
  bool stopping_ = false;
  bool continued_ = false;  // 100 Continue was sent for this request
  std::int64_t body_bytes_held_ = 0;

  // The request being answered.
  std::shared_ptr<Reply> reply_;  // shared with whoever answers
  std::string request_id_;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool is_http_1_0_ = false;
  bool chunked_ = false;
  bool answer_complete_ = false;  // all of it is in out_ or next_

  bool writing_ = false;
  std::string out_;  // being written, from out_sent_ on
  std::size_t out_sent_ = 0;
  std::string next_;  // goes out after out_

  std::int64_t deadline_ms_ = 0;  // on clock_; 0: none
  std::int64_t timer_ms_ = 0;     // when the timer goes off; 0: not set
};

}  // namespace loam::http
