// A load client for bench/run: sends many streaming requests at once and notes when each event
// came.
//
//   bench_load HOST PORT [--header 'Name: value'] [--retry-s SECONDS] [--times] < requests
//
// stdin: one request a line, PATH, a tab, the JSON body. All connect first and send together.
// stdout: one JSON object for each request, in order; times in seconds of CLOCK_MONOTONIC.
// --retry-s: a refused connection or a 503 is tried again for so long (a server that still starts).
// --times: with the arrival of every event that carries text.
//
// One thread, epoll, no library but the C++ one: 10,000 events a second must not be late because of
// the client.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

double now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "bench_load: %s\n", message.c_str());
  std::exit(1);
}

template <class Number>
Number parse(std::string_view text, int base = 10) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

/// Undoes the chunked transfer coding, however it is cut.
class Dechunker {
 public:
  /// Appends the body's bytes in `bytes` to `body`.
  void feed(std::string_view bytes, std::string& body) {
    for (std::size_t i = 0; i < bytes.size();) {
      if (left_ > 0) {
        const std::size_t take = std::min<std::size_t>(left_, bytes.size() - i);
        body.append(bytes.substr(i, take));
        left_ -= take;
        i += take;
        continue;
      }
      const char c = bytes[i++];
      if (c == '\n') {
        if (!size_.empty()) {
          left_ = parse<std::uint64_t>(size_, 16);
          done_ = left_ == 0;
        }
        size_.clear();
      } else if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
        size_ += c;
      }
    }
  }
  bool done() const { return done_; }

 private:
  std::uint64_t left_ = 0;
  std::string size_;
  bool done_ = false;
};

struct Request {
  std::string path;
  std::string body;
  int fd = -1;
  std::string head;  // of the reply, until it is complete
  bool head_done = false;
  bool chunked = false;
  std::uint64_t length = 0;  // of a body that is not chunked
  std::uint64_t length_seen = 0;
  Dechunker dechunker;
  std::string pending;  // body bytes after the last whole line
  int status = 0;
  double sent = 0, first = 0, last = 0, end = 0;
  std::uint64_t events = 0, prompt_tokens = 0, completion_tokens = 0;
  bool saw_done = false;
  std::string error;
  std::vector<float> times;  // milliseconds after `sent`
};

/// The number after `"name":` in one event, if it is there.
void read_number(std::string_view line, std::string_view name, std::uint64_t& into) {
  const auto at = line.find(name);
  if (at != std::string_view::npos) into = parse<std::uint64_t>(line.substr(at + name.size()));
}

bool carries_text(std::string_view line) {
  for (const std::string_view field : {"\"content\":\"", "\"text\":\""}) {
    const auto at = line.find(field);
    if (at != std::string_view::npos && line.substr(at + field.size(), 1) != "\"") return true;
  }
  return false;
}

class Client {
 public:
  Client(const std::string& host, const std::string& port, std::string headers, double retry_until,
         bool times)
      : headers_(std::move(headers)), retry_until_(retry_until), times_(times) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &address_) != 0) {
      die("cannot find " + host + " port " + port);
    }
    host_ = host + ":" + port;
    poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  }
  ~Client() {
    ::close(poll_);
    ::freeaddrinfo(address_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run(std::vector<Request>& requests) {
    for (Request& request : requests) open(request);
    for (Request& request : requests) send(request);
    open_ = requests.size();
    std::array<epoll_event, 256> ready{};
    while (open_ > 0) {
      const int count = ::epoll_wait(poll_, ready.data(), static_cast<int>(ready.size()), -1);
      for (int i = 0; i < count; ++i) {
        receive(*static_cast<Request*>(ready[static_cast<std::size_t>(i)].data.ptr));
      }
    }
  }

 private:
  void open(Request& request) {
    while (true) {
      request.fd = ::socket(address_->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (request.fd < 0) die("too many open files: raise ulimit -n");
      if (::connect(request.fd, address_->ai_addr, address_->ai_addrlen) == 0) break;
      ::close(request.fd);
      if (now() > retry_until_) die("cannot connect to " + host_);
      ::usleep(2000);
    }
    const int on = 1;
    ::setsockopt(request.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &request}};
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, request.fd, &event);
  }

  void send(Request& request) {
    const std::string bytes = "POST " + request.path + " HTTP/1.1\r\nHost: " + host_ +
                              "\r\nContent-Type: application/json\r\nConnection: close\r\n" +
                              headers_ + "Content-Length: " + std::to_string(request.body.size()) +
                              "\r\n\r\n" + request.body;
    request.sent = now();
    for (std::string_view left = bytes; !left.empty();) {
      const auto written = ::send(request.fd, left.data(), left.size(), MSG_NOSIGNAL);
      if (written <= 0) return;  // receive() sees the end and says so
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void receive(Request& request) {
    std::array<char, 65536> buffer;
    const auto got = ::recv(request.fd, buffer.data(), buffer.size(), 0);
    const double time = now();
    if (got <= 0) return finish(request, time, request.saw_done ? "" : "the connection broke");
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    std::string rest;
    if (!request.head_done) {
      request.head += bytes;
      const auto end = request.head.find("\r\n\r\n");
      if (end == std::string::npos) return;
      rest = request.head.substr(end + 4);
      read_head(request, request.head.substr(0, end));
      bytes = rest;
    }
    if (request.chunked) {
      request.dechunker.feed(bytes, request.pending);
    } else {
      request.pending += bytes;
      request.length_seen += bytes.size();
    }
    read_lines(request, time);
    const bool complete = request.chunked
                              ? request.dechunker.done()
                              : request.length > 0 && request.length_seen >= request.length;
    if (complete) finish(request, time, "");
  }

  static void read_head(Request& request, std::string head) {
    request.head_done = true;
    if (head.size() > 12) request.status = parse<int>(std::string_view(head).substr(9, 3));
    std::ranges::transform(head, head.begin(), [](unsigned char c) { return std::tolower(c); });
    request.chunked = head.find("transfer-encoding: chunked") != std::string::npos;
    read_number(head, "content-length: ", request.length);
  }

  void read_lines(Request& request, double time) const {
    std::size_t begin = 0;
    for (std::size_t end; (end = request.pending.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string_view line = std::string_view(request.pending).substr(begin, end - begin);
      if (!line.starts_with("data: ")) continue;
      if (line.starts_with("data: [DONE]")) request.saw_done = true;
      read_number(line, "\"prompt_tokens\":", request.prompt_tokens);
      read_number(line, "\"completion_tokens\":", request.completion_tokens);
      if (!carries_text(line)) continue;
      if (request.events++ == 0) request.first = time;
      request.last = time;
      if (times_) request.times.push_back(static_cast<float>((time - request.sent) * 1e3));
    }
    request.pending.erase(0, begin);
  }

  void finish(Request& request, double time, std::string error) {
    ::close(request.fd);
    if ((request.status == 503 || request.status == 0) && time < retry_until_) {
      ::usleep(5000);
      Request again;
      again.path = std::move(request.path);
      again.body = std::move(request.body);
      request = std::move(again);
      open(request);
      send(request);
      return;
    }
    request.end = time;
    request.error = std::move(error);
    if (request.error.empty() && request.status != 200) request.error = "refused";
    --open_;
  }

  std::string host_;
  std::string headers_;
  double retry_until_;
  bool times_;
  addrinfo* address_ = nullptr;
  int poll_ = -1;
  std::size_t open_ = 0;
};

void print(const Request& request) {
  std::printf(
      "{\"status\":%d,\"error\":\"%s\",\"done\":%s,\"sent\":%.6f,\"first\":%.6f,\"last\":%.6f,"
      "\"end\":%.6f,\"events\":%llu,\"prompt_tokens\":%llu,\"completion_tokens\":%llu",
      request.status, request.error.c_str(), request.saw_done ? "true" : "false", request.sent,
      request.first, request.last, request.end, static_cast<unsigned long long>(request.events),
      static_cast<unsigned long long>(request.prompt_tokens),
      static_cast<unsigned long long>(request.completion_tokens));
  if (!request.times.empty()) {
    std::printf(",\"times\":[");
    for (std::size_t i = 0; i < request.times.size(); ++i) {
      std::printf(i == 0 ? "%.2f" : ",%.2f", static_cast<double>(request.times[i]));
    }
    std::printf("]");
  }
  std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) die("usage: bench_load HOST PORT [--header H] [--retry-s S] [--times] < requests");
  std::string headers;
  double retry_s = 0;
  bool times = false;
  for (int i = 3; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--times") {
      times = true;
    } else if (i + 1 < argc && argument == "--header") {
      headers += std::string(argv[++i]) + "\r\n";
    } else if (i + 1 < argc && argument == "--retry-s") {
      retry_s = parse<unsigned>(argv[++i]);
    } else {
      die("unknown option " + std::string(argument));
    }
  }
  std::vector<Request> requests;
  for (std::string line; std::getline(std::cin, line);) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos) die("a request is PATH, a tab and a body");
    Request& request = requests.emplace_back();
    request.path = line.substr(0, tab);
    request.body = line.substr(tab + 1);
  }
  Client client(argv[1], argv[2], headers, now() + retry_s, times);
  client.run(requests);
  for (const Request& request : requests) print(request);
}
