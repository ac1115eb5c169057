// A client made of a bare socket, for tests of what well-behaved clients never do.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace loam::http {

class TestSocket {
 public:
  /// Connects to 127.0.0.1. `receive_bytes` > 0 makes the receive buffer that small.
  explicit TestSocket(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    EXPECT_TRUE(connected_);
  }
  TestSocket(TestSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;
  ~TestSocket() { close(); }

  /// False if the server has cut the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Says that nothing more will be sent, and goes on reading.
  void half_close() { ::shutdown(fd_, SHUT_WR); }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  /// Sends a reset instead of a goodbye.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  /// Reads until `text` has come, the server closes, or 10 s pass; all that has come since the last
  /// call, up to and with `text`.
  std::string read_until(std::string_view text) {
    for (;;) {
      const std::size_t at = received_.find(text);
      if (!text.empty() && at != std::string::npos) {
        std::string out = received_.substr(0, at + text.size());
        received_.erase(0, at + text.size());
        return out;
      }
      if (!receive()) return std::exchange(received_, {});
    }
  }

  /// Everything until the server closes.
  std::string read_all() { return read_until({}); }

  /// Head and a body of known length: one whole reply on a connection that stays open.
  std::string read_reply() {
    std::string reply = read_until("\r\n\r\n");
    const std::size_t at = reply.find("content-length: ");
    if (at == std::string::npos) return reply;
    std::size_t length = 0;
    for (std::size_t i = at + 16; reply[i] >= '0' && reply[i] <= '9'; ++i)
      length = length * 10 + static_cast<std::size_t>(reply[i] - '0');
    while (received_.size() < length && receive()) continue;
    reply += received_.substr(0, length);
    received_.erase(0, length);
    return reply;
  }

  /// True if the server has closed (or closes within 10 s) after everything was read.
  bool closed() {
    received_.clear();
    while (receive()) received_.clear();
    return ended_;
  }

 private:
  bool receive() {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return false;
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
    if (n <= 0) ended_ = true;
    return n > 0;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace loam::http
