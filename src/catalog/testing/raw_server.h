// A file server for tests that may lie and break off as no honest one does.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "env/guarded.h"
#include "env/thread.h"

namespace loam::catalog::testing {

/// One request and the way to answer it in any bytes.
class RawConnection {
 public:
  RawConnection(int fd, std::string head) : fd_(fd), head_(std::move(head)) {}

  /// "GET /file".
  std::string request_line() const { return head_.substr(0, head_.find(" HTTP/")); }
  bool is_head() const { return head_.starts_with("HEAD "); }
  /// The value of a header; empty if absent.
  std::string header(std::string_view name) const {
    for (const auto line : split(head_, '\n')) {
      const std::size_t colon = line.find(':');
      if (colon != std::string_view::npos && to_lower_ascii(line.substr(0, colon)) == name)
        return std::string(trim(line.substr(colon + 1)));
    }
    return {};
  }
  /// Where the asked range begins; 0 without one.
  std::size_t first_byte() const {
    const std::string range = header("range");  // "bytes=123-"
    if (range.size() < 8) return 0;
    return static_cast<std::size_t>(
        parse_int(std::string_view(range).substr(6, range.size() - 7)).value_or(0));
  }

  /// False once the client is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Status line and fields ("name: value\r\n" each).
  bool head(int status, std::string_view fields) {
    return send(format("HTTP/1.1 {} X\r\nconnection: close\r\n{}\r\n", status, fields));
  }
  /// The rest of `content` from the asked byte on, at most `bytes_max` of it.
  void file(std::string_view content, std::string_view etag = "\"v1\"",
            std::size_t bytes_max = std::string_view::npos) {
    const std::size_t first = first_byte();
    if (first == 0) {
      head(200, format("content-length: {}\r\netag: {}\r\n", content.size(), etag));
    } else if (first >= content.size()) {
      head(416, format("content-range: bytes */{}\r\n", content.size()));
      return;
    } else {
      head(206, format("content-length: {}\r\ncontent-range: bytes {}-{}/{}\r\netag: {}\r\n",
                       content.size() - first, first, content.size() - 1, content.size(), etag));
    }
    if (!is_head()) send(content.substr(first, bytes_max));
  }

 private:
  int fd_;
  std::string head_;
};

/// Serves one connection after the other on 127.0.0.1 with whatever `answer` does.
class RawServer {
 public:
  using Answer = std::function<void(RawConnection&)>;

  explicit RawServer(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, raw, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = env::start_thread("raw-server", [this](const std::stop_token& stop) { serve(stop); });
  }
  ~RawServer() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string url(std::string_view path = "/tiny.gguf") const {
    return format("http://127.0.0.1:{}{}", port_, path);
  }
  /// Where the asked range began, for each connection so far.
  std::vector<std::size_t> first_bytes() {
    return first_bytes_.with([](const auto& all) { return all; });
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      RawConnection connection(fd, read_head(fd));
      first_bytes_.with([&](auto& all) { all.push_back(connection.first_byte()); });
      answer_(connection);
      ::close(fd);
    }
  }
  static std::string read_head(int fd) {
    std::string head;
    std::array<char, 4096> buffer{};
    while (!head.contains("\r\n\r\n")) {
      const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) break;
      head.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return head;
  }

  Answer answer_;
  int listener_;
  std::uint16_t port_ = 0;
  env::Guarded<std::vector<std::size_t>> first_bytes_;
  std::jthread thread_;
};

}  // namespace loam::catalog::testing
