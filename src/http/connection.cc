#include "http/connection.h"

#include <algorithm>
#include <utility>

#include "env/random.h"

namespace loam::http {
namespace {

constexpr std::int64_t kLingerMs = 2'000;  // chosen: for the client to read the last reply
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(std::uint64_t id, ConnectionHost& host, std::unique_ptr<Transport> transport)
    : id_(id),
      host_(host),
      limits_(host.limits()),
      transport_(std::move(transport)),
      reader_(limits_) {}

void Connection::start() {
  transport_->post([self = shared_from_this()] {
    if (self->state_ != State::kOpening) return;
    self->set_deadline(self->limits_.head_timeout_ms);
    self->transport_->open([self](bool ok) {
      if (self->state_ != State::kOpening) return;
      if (!ok) return self->close();
      self->enter_reading();
    });
  });
}

void Connection::start_full() {
  transport_->post([self = shared_from_this()] {
    if (self->state_ != State::kOpening) return;
    self->transport_->open([self](bool ok) {
      if (self->state_ != State::kOpening) return;
      if (!ok) return self->close();
      self->refuse(503, "the server has as many connections as it may have");
      self->arm_read();
    });
    self->set_deadline(self->limits_.head_timeout_ms);
  });
}

void Connection::finish_soon() {
  transport_->post([self = shared_from_this()] {
    self->stopping_ = true;
    if (self->state_ == State::kOpening) return self->close();
    const bool idle =
        self->state_ == State::kReading && self->reader_.progress() == Progress::kIdle;
    if (idle) self->finish();
  });
}

void Connection::cut() {
  transport_->post([self = shared_from_this()] { self->close(); });
}

// Reading.

void Connection::arm_read() {
  if (reading_ || peer_ended_ || state_ == State::kClosed) return;
  // A client that sends requests ahead is read no further until its turn comes.
  const bool far_ahead =
      state_ == State::kAnswering && reader_.buffered_bytes() >= limits_.head_bytes_max;
  if (far_ahead) return;
  reading_ = true;
  transport_->read([self = shared_from_this()](Transport::Read read, std::string_view data) {
    self->reading_ = false;
    self->on_read(read, data);
  });
}

void Connection::on_read(Transport::Read read, std::string_view data) {
  if (state_ == State::kClosed) return;
  if (read == Transport::Read::kBroken) return close();
  if (read == Transport::Read::kEnd) {
    peer_ended_ = true;
    return on_end();
  }
  if (state_ == State::kReading || state_ == State::kAnswering) {
    reader_.feed(data);
    count_body_bytes();
  }
  if (state_ == State::kReading) step();
  arm_read();
}

void Connection::on_end() {
  switch (state_) {
    case State::kReading:
      if (reader_.progress() == Progress::kIdle) return finish();
      return refuse(400, "the request ended early");
    case State::kAnswering:
      // Whoever waits for a stream and stops listening to us has gone. A whole answer that is
      // nearly ready still reaches a client that closed only its own direction.
      return reply_->client_left();
    case State::kFinishing: return close();
    case State::kOpening:
    case State::kRefusing:
    case State::kClosed: return;
  }
}

void Connection::enter_reading() {
  state_ = State::kReading;
  watched_ = Progress::kComplete;  // so that the deadline of what is there now gets set
  continued_ = false;
  step();
  arm_read();
}

void Connection::step() {
  switch (reader_.progress()) {
    case Progress::kIdle:
      if (peer_ended_ || stopping_) return finish();
      break;
    case Progress::kHead:
    case Progress::kBody:
      if (peer_ended_) return refuse(400, "the request ended early");
      break;
    case Progress::kComplete: return dispatch();
    case Progress::kRefused: return refuse(reader_.refusal().status, reader_.refusal().message);
  }
  watch_progress();
}

void Connection::watch_progress() {
  const Progress progress = reader_.progress();
  if (progress == Progress::kBody && reader_.head().expects_continue && !continued_) {
    continued_ = true;
    send(std::string(kContinue));
  }
  if (progress == watched_) return;
  watched_ = progress;
  if (progress == Progress::kIdle) set_deadline(limits_.idle_timeout_ms);
  if (progress == Progress::kHead) set_deadline(limits_.head_timeout_ms);
  if (progress == Progress::kBody) set_deadline(limits_.body_timeout_ms);
}

void Connection::count_body_bytes() {
  const auto held = static_cast<std::int64_t>(reader_.buffered_bytes());
  const bool fits = host_.hold_body_bytes(held - std::exchange(body_bytes_held_, held));
  if (!fits && state_ == State::kReading && reader_.progress() == Progress::kBody)
    refuse(503, "the server is reading as many request bodies as it may");
}

// Answering.

void Connection::dispatch() {
  state_ = State::kAnswering;
  if (!writing_) clear_deadline();
  const RequestHead& head = reader_.head();
  keep_alive_ = head.keep_alive;
  is_http_1_0_ = head.is_http_1_0;
  is_head_ = head.request.method == Method::kHead;
  answer_complete_ = false;
  request_id_ = env::random_id("req_");
  Request request = reader_.take();
  count_body_bytes();
  request.id = request_id_;
  request.peer_is_loopback = transport_->peer_is_loopback();
  // The reply keeps this connection until detach(), which close() and finish_answer() see to.
  reply_ = std::make_shared<Reply>(limits_.stream_buffer_bytes_max, [self = shared_from_this()] {
    self->transport_->post([self] { self->pump(); });
  });
  if (peer_ended_) reply_->client_left();
  const auto exchange = std::make_shared<ReplyExchange>(std::move(request), reply_);
  if (host_.dispatch(exchange)) return;
  Response busy = host_.refusal(503, "too many requests wait to be handled");
  busy.headers.set("retry-after", "1");
  exchange->respond(std::move(busy));
}

void Connection::pump() {
  // While a write is under way more chunks gather, and then leave together.
  if (state_ != State::kAnswering || writing_ || answer_complete_) return;
  Reply::Piece piece = reply_->take();
  if (piece.outcome == Reply::Outcome::kBroken) return close();
  if (piece.outcome == Reply::Outcome::kUnanswered) {
    // Whoever closed its own direction only learns that this ended the request.
    Response apology = peer_ended_ ? host_.refusal(408, "the client closed before the answer")
                                   : host_.refusal(500, "the request was dropped unanswered");
    piece.head = Reply::Head{apology.status, std::move(apology.headers), apology.body.size()};
    piece.body = std::move(apology.body);
    piece.outcome = Reply::Outcome::kComplete;
  }
  if (piece.head) append_head(*piece.head);
  // Of a file nothing more need be read for a client that wants its head only.
  answer_complete_ =
      piece.outcome == Reply::Outcome::kComplete || (is_head_ && piece.head && piece.head->length);
  append_body(piece.body, answer_complete_);
  if (!next_.empty())
    write_some();
  else if (answer_complete_)
    finish_answer();
}

void Connection::append_head(const Reply::Head& head) {
  Framing framing;
  const bool no_body = has_no_body(head.status);
  framing.length = head.length;
  framing.chunked = !head.length && !is_http_1_0_ && !no_body;
  // Without a length or chunks the end of the body is the end of the connection.
  if (!head.length && is_http_1_0_) keep_alive_ = false;
  keep_alive_ = keep_alive_ && !stopping_ && !peer_ended_;
  framing.keep_alive = keep_alive_;
  chunked_ = framing.chunked;
  if (no_body) is_head_ = true;
  next_ +=
      write_reply_head(head.status, head.headers, framing, request_id_, clock_.wall_ms() / 1000);
}

void Connection::append_body(std::string_view body, bool last) {
  if (is_head_) return;
  if (!chunked_) {
    next_ += body;
    return;
  }
  if (!body.empty()) next_ += write_chunk(body);
  if (last) next_ += kLastChunk;
}

void Connection::finish_answer() {
  reply_->detach();
  reply_.reset();
  clear_deadline();
  chunked_ = false;
  if (!keep_alive_) return finish();
  enter_reading();
}

std::string Connection::refusal_bytes(int status, std::string_view message) {
  const Response response = host_.refusal(status, message);
  Framing framing;
  framing.length = response.body.size();
  std::string bytes = write_reply_head(response.status, response.headers, framing,
                                       request_id_.empty() ? env::random_id("req_") : request_id_,
                                       clock_.wall_ms() / 1000);
  if (!is_head_) bytes += response.body;
  return bytes;
}

void Connection::refuse(int status, std::string_view message) {
  state_ = State::kRefusing;
  request_id_.clear();
  is_head_ = false;
  send(refusal_bytes(status, message));
}

// Writing.

void Connection::send(std::string_view bytes) {
  next_ += bytes;
  if (!writing_) write_some();
}

void Connection::write_some() {
  if (out_sent_ == out_.size()) {
    out_ = std::exchange(next_, {});
    out_sent_ = 0;
  }
  writing_ = true;
  set_deadline(limits_.write_stall_ms);
  transport_->write(
      std::string_view(out_).substr(out_sent_),
      [self = shared_from_this()](std::size_t written) { self->on_written(written); });
}

void Connection::on_written(std::size_t written) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (written == 0) return close();
  out_sent_ += written;
  if (out_sent_ < out_.size() || !next_.empty()) return write_some();
  out_ = {};
  out_sent_ = 0;
  clear_deadline();
  switch (state_) {
    case State::kReading:  // that was 100 Continue
      watched_ = Progress::kComplete;
      return watch_progress();
    case State::kAnswering: return answer_complete_ ? finish_answer() : pump();
    case State::kRefusing: return finish();
    case State::kOpening:
    case State::kFinishing:
    case State::kClosed: return;
  }
}

// Ending.

void Connection::finish() {
  if (state_ == State::kFinishing || state_ == State::kClosed) return;
  const bool all_read = state_ != State::kRefusing && reader_.progress() == Progress::kIdle;
  state_ = State::kFinishing;
  set_deadline(kLingerMs);
  transport_->finish_sending([self = shared_from_this(), all_read] {
    if (all_read || self->peer_ended_) self->close();
  });
  arm_read();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  clear_deadline();
  transport_->close();
  host_.hold_body_bytes(-std::exchange(body_bytes_held_, 0));
  host_.closed(id_);
  if (const auto reply = std::exchange(reply_, nullptr)) {
    reply->detach();
    reply->client_left();
  }
}

// Time. Streams set a deadline for every write, so the timer is left to run and looks again when it
// goes off, instead of being set anew each time.

void Connection::set_deadline(std::int64_t after_ms) {
  deadline_ms_ = clock_.steady_ms() + after_ms;
  if (timer_ms_ == 0 || timer_ms_ > deadline_ms_) arm_timer();
}

void Connection::arm_timer() {
  timer_ms_ = deadline_ms_;
  const std::int64_t delay_ms = std::max<std::int64_t>(0, deadline_ms_ - clock_.steady_ms());
  transport_->set_timer(delay_ms, [self = shared_from_this()] {
    self->timer_ms_ = 0;
    if (self->state_ == State::kClosed || self->deadline_ms_ == 0) return;
    if (self->clock_.steady_ms() < self->deadline_ms_) return self->arm_timer();
    self->deadline_ms_ = 0;
    self->on_deadline();
  });
}

void Connection::on_deadline() {
  const bool in_request = state_ == State::kReading && reader_.progress() != Progress::kIdle;
  if (in_request && !writing_) return refuse(408, "the request did not arrive in time");
  if (state_ == State::kReading && !writing_) return finish();
  close();
}

}  // namespace loam::http
