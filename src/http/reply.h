// Where the one who answers and the connection that sends meet. Knows no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace loam::http {

/// One answer on its way out: a bounded buffer between whoever produces it (any thread) and the
/// connection (its strand). Thread-safe; nothing blocks.
///
/// `wake` tells the connection that take() has something new. It is called under the lock, at most
/// once between two take()s, and may hold the connection alive until detach().
class Reply {
 public:
  Reply(std::size_t unsent_bytes_max, std::function<void()> wake)
      : unsent_bytes_max_(unsent_bytes_max), wake_(std::move(wake)) {}

  // For the side that answers; see Exchange for what each promises.
  void add_header(std::string name, std::string value);
  void respond(Response response);
  void begin(int status, Headers headers);
  bool write(std::string_view chunk);
  void end();
  void on_disconnect(std::function<void()> gone);
  /// Nobody will answer any more: changes nothing if the answer is complete.
  void abandon();

  // For the connection.
  struct Head {
    int status = 0;
    Headers headers;
    std::optional<std::uint64_t> length;  // of the whole body; empty: it is streamed
  };
  enum class Outcome {
    kMore,        // not complete yet
    kComplete,    // with this piece the answer is whole
    kUnanswered,  // abandoned before it began: the connection answers with 500
    kBroken,      // it can no longer become whole: cut the connection
  };
  struct Piece {
    std::optional<Head> head;  // in the first piece that has anything
    std::string body;
    Outcome outcome = Outcome::kMore;
  };
  /// Everything that is new since the last call; of a file, the next piece. Reads the disk for
  /// that.
  Piece take();
  /// The client sends no more and probably reads no more. A stream is over; a whole response that
  /// still comes can be taken and tried.
  void client_left();
  /// From now on `wake` is not called; it has been destroyed when this returns.
  void detach();

 private:
  enum class State { kWaiting, kStreaming, kComplete, kUnanswered, kBroken };
  void wake_locked();
  void set_head_locked(int status, Headers headers, std::optional<std::uint64_t> length);
  void read_file_locked(std::string& to);

  std::mutex mutex_;
  const std::size_t unsent_bytes_max_;
  std::function<void()> wake_;
  bool woken_ = false;
  State state_ = State::kWaiting;
  bool client_left_ = false;
  std::function<void()> gone_;
  std::vector<std::pair<std::string, std::string>> extra_headers_;
  std::optional<Head> head_;
  std::string unsent_;
  std::optional<FilePart> file_;  // what is left of it
};

/// The Exchange over a Reply. The last owner to drop it without an answer abandons the reply.
class ReplyExchange : public Exchange {
 public:
  // Shared with the connection, which outlives or is outlived by the one who answers.
  ReplyExchange(Request request, std::shared_ptr<Reply> reply)
      : reply_(std::move(reply)), request_(std::move(request)) {}
  ~ReplyExchange() override { reply_->abandon(); }
  ReplyExchange(const ReplyExchange&) = delete;
  ReplyExchange& operator=(const ReplyExchange&) = delete;

  const Request& request() const override { return request_; }
  void set_params(std::vector<std::string> params) override { request_.params = std::move(params); }
  void add_header(std::string name, std::string value) override {
    reply_->add_header(std::move(name), std::move(value));
  }
  void respond(Response response) override { reply_->respond(std::move(response)); }
  void begin_stream(int status, Headers headers) override {
    reply_->begin(status, std::move(headers));
  }
  bool write(std::string chunk) override { return reply_->write(chunk); }
  void end() override { reply_->end(); }
  void on_disconnect(std::function<void()> gone) override {
    reply_->on_disconnect(std::move(gone));
  }

 protected:
  const std::shared_ptr<Reply> reply_;

 private:
  Request request_;
};

}  // namespace loam::http
