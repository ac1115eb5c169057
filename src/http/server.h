// The HTTP/1.1 server: limits, timeouts, streaming, TLS. Home of Boost.Asio and Beast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/exchange.h"

namespace loam::http {

struct Limits {
  std::size_t head_bytes_max = 32U << 10;          // request line and headers; more: 431
  std::size_t body_bytes_max = 8U << 20;           // more: 413
  std::size_t all_bodies_bytes_max = 512U << 20;   // being read, all connections together: 503
  std::size_t connections_max = 4096;              // more: answered with 503 and closed
  std::int64_t head_timeout_ms = 10'000;           // from first byte to end of head: 408
  std::int64_t body_timeout_ms = 60'000;           // for the whole body: 408
  std::int64_t idle_timeout_ms = 75'000;           // keep-alive between requests: closed
  std::int64_t write_stall_ms = 30'000;            // a client that takes no byte: cut off
  std::size_t stream_buffer_bytes_max = 1U << 20;  // unsent bytes of one stream: cut off
};

struct TlsFiles {
  std::string certificate_path;  // PEM chain
  std::string key_path;          // PEM
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // literal IPv4 or IPv6
  std::uint16_t port = 0;             // 0: the system chooses
  std::size_t io_threads = 2;
  std::size_t handler_threads = 8;       // handlers may block; these run them
  std::size_t handler_queue_max = 1024;  // more waiting: 503
  Limits limits;
  std::unique_ptr<TlsFiles> tls;  // null: plain HTTP
};

/// Turns a refusal that the server itself makes (400, 408, 413, 417, 431, 500, 501, 503, 505) into
/// a reply body, so that this module knows no API's error format.
using ErrorWriter = std::function<Response(int status, std::string_view message)>;

class Server {
 public:
  /// Binds and listens (backlog 4096); serves nothing until start().
  /// @error AlreadyExists  the port is taken. @error PermissionDenied. @error InvalidArgument  bad
  /// address.
  static Result<std::unique_ptr<Server>> open(ServerOptions options, Handler handler,
                                              ErrorWriter error_writer);
  virtual ~Server() = default;

  virtual void start() = 0;
  /// Stops accepting, lets running answers finish for at most `grace_ms`, then cuts and joins.
  virtual void stop(std::int64_t grace_ms) = 0;
  virtual std::uint16_t port() const = 0;
  virtual std::size_t open_connections() const = 0;
};

}  // namespace loam::http
