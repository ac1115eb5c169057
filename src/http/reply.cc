#include "http/reply.h"

#include "base/log.h"

namespace loam::http {

// A callback may own an Exchange, whose destructor calls abandon(): so callbacks are moved out
// under the lock, and run and destroyed after it.

void Reply::wake_locked() {
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

void Reply::set_head_locked(int status, Headers headers, bool streamed) {
  for (auto& [name, value] : extra_headers_) headers.set(std::move(name), std::move(value));
  extra_headers_.clear();
  head_ = Head{status, std::move(headers), streamed};
}

void Reply::add_header(std::string name, std::string value) {
  const std::scoped_lock lock(mutex_);
  extra_headers_.emplace_back(std::move(name), std::move(value));
}

void Reply::respond(Response response) {
  std::function<void()> dropped;
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kWaiting) {
    log::warning("http", "a request was answered twice: the second answer is dropped");
    return;
  }
  set_head_locked(response.status, std::move(response.headers), false);
  unsent_ = std::move(response.body);
  state_ = State::kComplete;
  dropped.swap(gone_);
  wake_locked();
}

void Reply::begin(int status, Headers headers) {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kWaiting) {
    log::warning("http", "a request was answered twice: the second answer is dropped");
    return;
  }
  if (client_left_) {
    state_ = State::kBroken;
  } else {
    set_head_locked(status, std::move(headers), true);
    state_ = State::kStreaming;
  }
  wake_locked();
}

bool Reply::write(std::string_view chunk) {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kStreaming) return false;
  if (chunk.size() > unsent_bytes_max_ - unsent_.size()) {
    state_ = State::kBroken;
    unsent_.clear();
    wake_locked();
    return false;
  }
  unsent_ += chunk;
  if (!chunk.empty()) wake_locked();
  return true;
}

void Reply::end() {
  std::function<void()> dropped;
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kStreaming) return;
  state_ = State::kComplete;
  dropped.swap(gone_);
  wake_locked();
}

void Reply::on_disconnect(std::function<void()> gone) {
  {
    const std::scoped_lock lock(mutex_);
    if (state_ == State::kComplete) return;
    if (!client_left_) {
      gone_.swap(gone);
      return;
    }
  }
  gone();
}

void Reply::abandon() {
  std::function<void()> dropped;
  const std::scoped_lock lock(mutex_);
  if (state_ == State::kWaiting) {
    state_ = State::kUnanswered;
  } else if (state_ == State::kStreaming) {
    state_ = State::kBroken;
  } else {
    return;
  }
  dropped.swap(gone_);
  wake_locked();
}

Reply::Piece Reply::take() {
  const std::scoped_lock lock(mutex_);
  woken_ = false;
  Piece piece;
  piece.head = std::exchange(head_, std::nullopt);
  piece.body.swap(unsent_);
  switch (state_) {
    case State::kWaiting:
    case State::kStreaming: piece.outcome = Outcome::kMore; break;
    case State::kComplete: piece.outcome = Outcome::kComplete; break;
    case State::kUnanswered: piece.outcome = Outcome::kUnanswered; break;
    case State::kBroken: piece.outcome = Outcome::kBroken; break;
  }
  return piece;
}

void Reply::client_left() {
  std::function<void()> gone;
  {
    const std::scoped_lock lock(mutex_);
    if (client_left_) return;
    client_left_ = true;
    if (state_ == State::kStreaming) state_ = State::kBroken;
    gone.swap(gone_);
    wake_locked();
  }
  if (gone) gone();
}

void Reply::detach() {
  std::function<void()> dropped;
  const std::scoped_lock lock(mutex_);
  dropped.swap(wake_);
}

}  // namespace loam::http
