// Sockets, TLS, timers and I/O threads, without a trace of the library that does them.
// Home of Boost.Asio (network.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

namespace loam::http {

/// One accepted connection as a stream of bytes. Its callbacks run one after another (its strand)
/// on I/O threads; except for post(), call it only from them. Each callback is called exactly once,
/// after close() too, unless said otherwise, and is destroyed before the next operation of its kind
/// may begin: so it may own the owner of the Transport.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Runs `task` on the strand. Thread-safe.
  virtual void post(std::function<void()> task) = 0;
  /// Plain: at once. TLS: the handshake.
  virtual void open(std::function<void(bool ok)> done) = 0;

  enum class Read {
    kData,
    kEnd,     // the peer sends no more; it may still read
    kBroken,  // or closed by us
  };
  /// `data` is valid inside the callback only. One at a time.
  virtual void read(std::function<void(Read, std::string_view data)> done) = 0;
  /// Writes at least a byte of `bytes`, which must live until then. One at a time.
  /// `written` 0: the connection is broken.
  virtual void write(std::string_view bytes, std::function<void(std::size_t written)> done) = 0;
  /// Tells the peer that nothing more will come; reading goes on (under TLS: of raw bytes that mean
  /// nothing). No write may be under way.
  virtual void finish_sending(std::function<void()> done) = 0;
  /// Calls `due` in `delay_ms`; a later call replaces an earlier one, which is then not called.
  virtual void set_timer(std::int64_t delay_ms, std::function<void()> due) = 0;
  /// Closes the socket and ends every operation under way.
  virtual void close() = 0;

  virtual bool peer_is_loopback() const = 0;
};

/// A listening socket and the threads that serve what it accepts.
class Network {
 public:
  /// @thread an I/O thread, not the new connection's strand.
  using OnAccept = std::function<void(std::unique_ptr<Transport>)>;

  /// Binds and listens, nothing more. Errors as Server::open.
  static Result<std::unique_ptr<Network>> open(const ServerOptions& options);
  virtual ~Network() = default;

  virtual void start(std::size_t threads, OnAccept on_accept) = 0;
  virtual std::uint16_t port() const = 0;
  virtual void stop_accepting() = 0;
  /// Joins the threads once every connection is closed and each callback has run. Call
  /// stop_accepting() before.
  virtual void join() = 0;
};

}  // namespace loam::http
