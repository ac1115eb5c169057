#include "http/network.h"

#include <fcntl.h>

#include <array>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "env/thread.h"

namespace loam::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;             // with 5, as some servers have, bursts are lost
constexpr int kAcceptPauseMs = 100;        // chosen: after "too many open files"
constexpr std::size_t kReadBytes = 16384;  // chosen: on the stack while reading, not per connection
constexpr std::size_t kTlsReadBytes = 4096;

bool is_loopback(const tcp::endpoint& peer) {
  const asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

/// Worker processes must not hold our sockets open.
void close_on_exec(int fd) { ::fcntl(fd, F_SETFD, FD_CLOEXEC); }

/// What plain and TLS connections have alike.
class SocketTransport : public Transport {
 public:
  void post(std::function<void()> task) override {
    asio::post(socket_.get_executor(), std::move(task));
  }

  void set_timer(std::int64_t delay_ms, std::function<void()> due) override {
    timer_.expires_after(std::chrono::milliseconds(delay_ms));
    timer_.async_wait([this, due = std::move(due), turn = ++timer_turn_](error_code error) {
      // A wait that was replaced while its handler was already queued comes without an error.
      if (!error && turn == timer_turn_) due();
    });
  }

  void close() override {
    error_code ignored;
    ++timer_turn_;
    timer_.cancel(ignored);
    socket_.close(ignored);
  }

  bool peer_is_loopback() const override { return peer_is_loopback_; }

 protected:
  explicit SocketTransport(tcp::socket socket)
      : socket_(std::move(socket)), timer_(socket_.get_executor()) {
    error_code error;
    const tcp::endpoint peer = socket_.remote_endpoint(error);
    peer_is_loopback_ = !error && is_loopback(peer);
    socket_.set_option(tcp::no_delay(true), error);
    socket_.non_blocking(true, error);
    close_on_exec(socket_.native_handle());
  }

  /// Waits without a buffer, so that an idle connection holds none.
  void read_raw(std::function<void(Read, std::string_view)> done) {
    socket_.async_wait(tcp::socket::wait_read,
                       [this, done = std::move(done)](error_code error) mutable {
                         if (error) return done(Read::kBroken, {});
                         std::array<char, kReadBytes> buffer;
                         const std::size_t n = socket_.read_some(asio::buffer(buffer), error);
                         if (error == asio::error::would_block || error == asio::error::try_again)
                           return read_raw(std::move(done));
                         if (error == asio::error::eof) return done(Read::kEnd, {});
                         if (error) return done(Read::kBroken, {});
                         done(Read::kData, std::string_view(buffer.data(), n));
                       });
  }

  void shut_sending() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::socket socket_;

 private:
  asio::steady_timer timer_;
  std::uint64_t timer_turn_ = 0;
  bool peer_is_loopback_ = false;
};

class PlainTransport final : public SocketTransport {
 public:
  explicit PlainTransport(tcp::socket socket) : SocketTransport(std::move(socket)) {}

  void open(std::function<void(bool)> done) override {
    post([done = std::move(done)] { done(true); });
  }

  void read(std::function<void(Read, std::string_view)> done) override {
    read_raw(std::move(done));
  }

  void write(std::string_view bytes, std::function<void(std::size_t)> done) override {
    socket_.async_write_some(asio::buffer(bytes),
                             [done = std::move(done)](error_code error, std::size_t written) {
                               done(error ? 0 : written);
                             });
  }

  void finish_sending(std::function<void()> done) override {
    shut_sending();
    post(std::move(done));
  }
};

class TlsTransport final : public SocketTransport {
 public:
  TlsTransport(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
      : SocketTransport(std::move(socket)),
        context_(std::move(context)),
        tls_(socket_, *context_) {}

  void open(std::function<void(bool)> done) override {
    tls_.async_handshake(asio::ssl::stream_base::server,
                         [done = std::move(done)](error_code error) { done(!error); });
  }

  void read(std::function<void(Read, std::string_view)> done) override {
    if (sending_finished_) return read_raw(std::move(done));
    tls_.async_read_some(asio::buffer(buffer_), [this, done = std::move(done)](error_code error,
                                                                               std::size_t n) {
      // Without close_notify the end may be forged, but a request carries its
      // length: one that is cut short is refused anyway.
      const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
      if (ended) return done(Read::kEnd, {});
      if (error) return done(Read::kBroken, {});
      done(Read::kData, std::string_view(buffer_.data(), n));
    });
  }

  void write(std::string_view bytes, std::function<void(std::size_t)> done) override {
    tls_.async_write_some(asio::buffer(bytes),
                          [done = std::move(done)](error_code error, std::size_t written) {
                            done(error ? 0 : written);
                          });
  }

  void finish_sending(std::function<void()> done) override {
    // Completes when the peer answers with its own close_notify, or sends anything else, or at the
    // latest when the owner's timer closes the socket.
    sending_finished_ = true;
    tls_.async_shutdown([this, done = std::move(done)](error_code) {
      shut_sending();
      done();
    });
  }

 private:
  std::shared_ptr<asio::ssl::context> context_;  // shared by all connections of the server
  asio::ssl::stream<tcp::socket&> tls_;
  std::array<char, kTlsReadBytes> buffer_;
  bool sending_finished_ = false;
};

class AsioNetwork final : public Network {
 public:
  AsioNetwork() : acceptor_(asio::make_strand(context_)), pause_(acceptor_.get_executor()) {}
  ~AsioNetwork() override { join(); }

  Result<> listen(const ServerOptions& options);

  void start(std::size_t threads, OnAccept on_accept) override {
    on_accept_ = std::move(on_accept);
    asio::post(acceptor_.get_executor(), [this] { accept(); });
    for (std::size_t i = 0; i < threads; ++i)
      threads_.push_back(
          env::start_thread("http-io", [this](const std::stop_token&) { context_.run(); }));
  }

  std::uint16_t port() const override { return port_; }

  void stop_accepting() override {
    asio::post(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
      pause_.cancel(ignored);
    });
  }

  void join() override {
    work_.reset();
    threads_.clear();
  }

 private:
  void accept();
  Result<> load_tls(const TlsFiles& files);

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ =
      asio::make_work_guard(context_);
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  bool exhausted_ = false;  // out of descriptors: said once, not ten times a second
  std::shared_ptr<asio::ssl::context> tls_;  // connections keep it while they close
  std::uint16_t port_ = 0;
  OnAccept on_accept_;
  std::vector<std::jthread> threads_;
};

void AsioNetwork::accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(asio::make_strand(context_), [this](error_code error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (error == asio::error::no_descriptors || error == asio::error::no_memory ||
        error == asio::error::no_buffer_space || error.value() == ENFILE) {
      if (!std::exchange(exhausted_, true))
        log::warning("http", "accept a connection: {} (raise the limit of open files)",
                     error.message());
      pause_.expires_after(std::chrono::milliseconds(kAcceptPauseMs));
      pause_.async_wait([this](error_code) { accept(); });
      return;
    }
    if (!error) {
      exhausted_ = false;
      if (tls_)
        on_accept_(std::make_unique<TlsTransport>(std::move(socket), tls_));
      else
        on_accept_(std::make_unique<PlainTransport>(std::move(socket)));
    }
    accept();
  });
}

Error listen_error(std::string_view action, const ServerOptions& options, const error_code& error) {
  const std::string what =
      format("{} {} port {}: {}", action, options.address, options.port, error.message());
  if (error == asio::error::address_in_use)
    return {ErrorCode::kAlreadyExists, what,
            "stop the program that listens there, or choose another port"};
  if (error == asio::error::access_denied || error.value() == EPERM)
    return {ErrorCode::kPermissionDenied, what, "choose a port of 1024 or above"};
  if (error.value() == EADDRNOTAVAIL)
    return {ErrorCode::kInvalidArgument, what, "choose an address of this machine"};
  return {ErrorCode::kUnavailable, what, {}};
}

Result<> AsioNetwork::load_tls(const TlsFiles& files) {
  tls_ = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION,
                    error);
  // Idle streams are many: OpenSSL then frees the buffers of those that do nothing.
  SSL_CTX_set_mode(tls_->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  tls_->use_certificate_chain_file(files.certificate_path, error);
  if (error)
    return fail(ErrorCode::kInvalidArgument,
                format("load the TLS certificate {}: {}", files.certificate_path, error.message()),
                "give a PEM file with the certificate chain");
  tls_->use_private_key_file(files.key_path, asio::ssl::context::pem, error);
  if (error)
    return fail(ErrorCode::kInvalidArgument,
                format("load the TLS key {}: {}", files.key_path, error.message()),
                "give the PEM key that belongs to the certificate, without a password");
  return {};
}

Result<> AsioNetwork::listen(const ServerOptions& options) {
  if (options.tls) LOAM_TRY(load_tls(*options.tls));
  error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error)
    return fail(ErrorCode::kInvalidArgument,
                format("listen on {}: not an IPv4 or IPv6 address", options.address),
                "give a literal address such as 127.0.0.1 or ::1");
  const tcp::endpoint endpoint(address, options.port);
  const auto failed = [&](std::string_view action) {
    return std::unexpected(listen_error(action, options, error));
  };
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failed("open a socket for");
  close_on_exec(acceptor_.native_handle());
  // A restart must not wait for the old connections to time out.
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor_.bind(endpoint, error);
  if (error) return failed("listen on");
  acceptor_.listen(kBacklog, error);
  if (error) return failed("listen on");
  port_ = acceptor_.local_endpoint(error).port();
  if (error) return failed("ask for the port of");
  return {};
}

}  // namespace

Result<std::unique_ptr<Network>> Network::open(const ServerOptions& options) {
  auto network = std::make_unique<AsioNetwork>();
  LOAM_TRY(network->listen(options));
  return network;
}

}  // namespace loam::http
