#include "http/reply.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "env/file.h"

namespace loam::http {
namespace {

/// Of a file, at a time: chosen so that reading it from the disk hardly delays other connections.
constexpr std::uint64_t kFilePieceBytes = 256U << 10;

}  // namespace

// A callback may own an Exchange, whose destructor calls abandon(): so callbacks are moved out
// under the lock, and run and destroyed after it.

void Reply::wake_locked() {
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

void Reply::set_head_locked(int status, Headers headers, std::optional<std::uint64_t> length) {
  for (auto& [name, value] : extra_headers_) headers.set(std::move(name), std::move(value));
  extra_headers_.clear();
  head_ = Head{status, std::move(headers), length};
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
  set_head_locked(response.status, std::move(response.headers),
                  response.file ? response.file->bytes : response.body.size());
  if (response.file)
    file_ = std::move(response.file);
  else
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
    set_head_locked(status, std::move(headers), {});
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
  if (file_) read_file_locked(piece.body);
  switch (state_) {
    case State::kWaiting:
    case State::kStreaming: piece.outcome = Outcome::kMore; break;
    case State::kComplete: piece.outcome = file_ ? Outcome::kMore : Outcome::kComplete; break;
    case State::kUnanswered: piece.outcome = Outcome::kUnanswered; break;
    case State::kBroken: piece.outcome = Outcome::kBroken; break;
  }
  return piece;
}

void Reply::read_file_locked(std::string& to) {
  Bytes piece(static_cast<std::size_t>(std::min(file_->bytes, kFilePieceBytes)));
  const auto read = env::read_at(*file_->file, file_->path, file_->offset, piece);
  if (!read || *read < piece.size()) {
    log::warning("http", "a file that is being sent cannot be read: {}",
                 read ? "it became shorter" : read.error().message);
    state_ = State::kBroken;
    file_.reset();
    return;
  }
  to += as_text(piece);
  file_->offset += piece.size();
  file_->bytes -= piece.size();
  if (file_->bytes == 0)
    file_.reset();
  else
    wake_locked();
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
