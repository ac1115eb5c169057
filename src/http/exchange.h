// One request and the way to answer it, from any thread, at once or as a stream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/message.h"

namespace loam::http {

/// Held by shared_ptr, because both the connection and whoever produces the answer (an engine's
/// event thread) keep it for as long as they need it. All calls are thread-safe and none blocks.
/// Answer exactly once: respond(), or begin_stream() .. end(). An Exchange that is dropped
/// unanswered is answered with 500.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const Request& request() const = 0;
  /// For the router, before any handler runs.
  virtual void set_params(std::vector<std::string> params) = 0;

  /// Adds a header to whatever answer follows.
  virtual void add_header(std::string name, std::string value) = 0;

  virtual void respond(Response response) = 0;

  /// Sends status and headers now; the body follows chunk by chunk.
  virtual void begin_stream(int status, Headers headers) = 0;
  /// Queues a chunk. False once the client is gone, or reads so slowly that more than
  /// Limits::stream_buffer_bytes_max wait (it is then cut off): stop producing.
  virtual bool write(std::string chunk) = 0;
  /// Ends the stream properly.
  virtual void end() = 0;

  /// Calls `gone` once if the client goes away before the answer is complete; at once if it
  /// already has. A later call replaces the earlier one. Runs on an I/O thread: must not block,
  /// and must not own this Exchange (which could then never count as dropped).
  virtual void on_disconnect(std::function<void()> gone) = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;
using Handler = std::function<void(const ExchangePtr&)>;

}  // namespace loam::http
