// What every Exchange promises, held against the twin and against a real server alike.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/format.h"
#include "env/disk.h"
#include "env/guarded.h"
#include "env/random.h"
#include "http/test_exchange.h"
#include "http/test_server.h"
#include "http/test_socket.h"
#include "http/test_wait.h"

namespace loam::http {
namespace {

constexpr std::size_t kBufferMax = 100'000;

struct Outcome {
  int status = 0;
  std::string head;
  std::string body;
  bool whole = false;
};

/// A client that has sent one request.
class Client {
 public:
  virtual ~Client() = default;
  virtual Outcome finish() = 0;
  virtual void leave() = 0;
};

class World {
 public:
  virtual ~World() = default;
  virtual std::unique_ptr<Client> ask(Handler handler) = 0;
};

class TwinClient final : public Client {
 public:
  explicit TwinClient(std::shared_ptr<TestAnswer> answer) : answer_(std::move(answer)) {}
  Outcome finish() override {
    const TestAnswer::Seen seen = answer_->wait();
    Outcome outcome{seen.status, {}, seen.body, seen.complete};
    for (const auto& [name, value] : seen.headers.all())
      outcome.head += format("{}: {}\r\n", name, value);
    return outcome;
  }
  void leave() override { answer_->disconnect(); }

 private:
  std::shared_ptr<TestAnswer> answer_;
};

class TwinWorld final : public World {
 public:
  std::unique_ptr<Client> ask(Handler handler) override {
    auto exchange = std::make_shared<TestExchange>(test_request(Method::kGet, "/"), kBufferMax);
    auto client = std::make_unique<TwinClient>(exchange->answer());
    handler(std::exchange(exchange, nullptr));
    return client;
  }
};

class SocketClient final : public Client {
 public:
  explicit SocketClient(std::uint16_t port) : socket_(port, 4096) {
    socket_.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  Outcome finish() override {
    const std::string reply = socket_.read_all();
    const std::size_t end = reply.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    Outcome outcome;
    outcome.status = std::stoi(reply.substr(9, 3));
    outcome.head = reply.substr(0, end + 2);
    outcome.body = reply.substr(end + 4);
    outcome.whole = true;
    if (outcome.head.contains("chunked")) read_chunks(outcome);
    return outcome;
  }
  void leave() override { socket_.close(); }

 private:
  static void read_chunks(Outcome& outcome) {
    std::string raw = std::exchange(outcome.body, {});
    outcome.whole = false;
    while (raw.contains("\r\n")) {
      const std::size_t size = std::stoul(raw, nullptr, 16);
      if (size == 0) outcome.whole = raw == "0\r\n\r\n";
      if (size == 0) return;
      const std::size_t at = raw.find("\r\n") + 2;
      outcome.body += raw.substr(at, size);
      raw.erase(0, at + size + 2);
    }
  }

  TestSocket socket_;
};

class ServerWorld final : public World {
 public:
  ServerWorld() : server_(options(), [this](const ExchangePtr& exchange) { handle(exchange); }) {}
  std::unique_ptr<Client> ask(Handler handler) override {
    handler_.with([&](Handler& now) { now = std::move(handler); });
    handled_ = false;
    auto client = std::make_unique<SocketClient>(server_.port());
    EXPECT_TRUE(eventually([this] { return handled_.load(); }));
    return client;
  }

 private:
  static ServerOptions options() {
    ServerOptions options;
    options.limits.stream_buffer_bytes_max = kBufferMax;
    return options;
  }
  void handle(const ExchangePtr& exchange) {
    handler_.with([](const Handler& now) { return now; })(exchange);
    handled_ = true;
  }

  env::Guarded<Handler> handler_;
  std::atomic<bool> handled_ = false;
  TestServer server_;
};

class ExchangeContract : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Client> ask(Handler handler) { return world_->ask(std::move(handler)); }

 private:
  std::unique_ptr<World> world_ =
      GetParam() ? std::unique_ptr<World>(new ServerWorld) : std::unique_ptr<World>(new TwinWorld);
};
INSTANTIATE_TEST_SUITE_P(, ExchangeContract, testing::Bool(),
                         [](const auto& world) { return world.param ? "Server" : "Twin"; });

TEST_P(ExchangeContract, DeliversAResponse) {
  const auto client = ask([](const ExchangePtr& exchange) {
    exchange->add_header("x-more", "2");
    Response response{.status = 201, .body = "made"};
    response.headers.add("x-one", "1");
    exchange->respond(std::move(response));
  });
  const Outcome outcome = client->finish();
  EXPECT_EQ(outcome.status, 201);
  EXPECT_EQ(outcome.body, "made");
  EXPECT_TRUE(outcome.whole);
  EXPECT_TRUE(outcome.head.contains("x-one: 1\r\n"));
  EXPECT_TRUE(outcome.head.contains("x-more: 2\r\n"));
}

TEST_P(ExchangeContract, DeliversAPartOfAFileLargerThanItsBuffer) {
  const env::Path path = std::filesystem::temp_directory_path() / env::random_id("loam-http-");
  std::string content;
  while (content.size() < 10 * kBufferMax) content += format("{} ", content.size());
  ASSERT_TRUE(env::write_file_atomic(path, content));
  const auto file = std::make_shared<const env::Fd>(std::move(*env::open_read(path)));
  ASSERT_TRUE(env::remove_file(path));
  const auto client = ask([&](const ExchangePtr& exchange) {
    Response response{.status = 206};
    response.file = FilePart{file, path, 3, content.size() - 5};
    exchange->respond(std::move(response));
  });
  const Outcome outcome = client->finish();
  EXPECT_EQ(outcome.status, 206);
  EXPECT_TRUE(outcome.body == content.substr(3, content.size() - 5));
  EXPECT_TRUE(outcome.whole);
}

TEST_P(ExchangeContract, DoesNotPassAFileThatBecameShorterOffAsWhole) {
  const env::Path path = std::filesystem::temp_directory_path() / env::random_id("loam-http-");
  ASSERT_TRUE(env::write_file_atomic(path, "short"));
  const auto file = std::make_shared<const env::Fd>(std::move(*env::open_read(path)));
  ASSERT_TRUE(env::remove_file(path));
  const auto client = ask([&](const ExchangePtr& exchange) {
    Response response;
    response.file = FilePart{file, path, 0, 6};
    exchange->respond(std::move(response));
  });
  EXPECT_FALSE(client->finish().whole);
}

TEST_P(ExchangeContract, DeliversAStreamInOrder) {
  const auto client = ask([](const ExchangePtr& exchange) {
    exchange->add_header("x-more", "2");
    exchange->begin_stream(200, {});
    EXPECT_TRUE(exchange->write("a"));
    EXPECT_TRUE(exchange->write(""));
    EXPECT_TRUE(exchange->write("bc"));
    exchange->end();
    EXPECT_FALSE(exchange->write("late"));
  });
  const Outcome outcome = client->finish();
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "abc");
  EXPECT_TRUE(outcome.whole);
  EXPECT_TRUE(outcome.head.contains("x-more: 2\r\n"));
}

TEST_P(ExchangeContract, AnswersADroppedExchangeWith500) {
  const auto client = ask([](const ExchangePtr&) {});
  const Outcome outcome = client->finish();
  EXPECT_EQ(outcome.status, 500);
  EXPECT_TRUE(outcome.whole);
}

TEST_P(ExchangeContract, DoesNotPassADroppedStreamOffAsWhole) {
  ExchangePtr kept;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("half");
    kept = exchange;
  });
  kept.reset();
  EXPECT_FALSE(client->finish().whole);
}

TEST_P(ExchangeContract, IgnoresASecondAnswer) {
  const auto client = ask([](const ExchangePtr& exchange) {
    exchange->respond({.status = 200, .body = "first"});
    exchange->respond({.status = 500, .body = "second"});
    exchange->begin_stream(500, {});
    EXPECT_FALSE(exchange->write("third"));
    exchange->end();
  });
  const Outcome outcome = client->finish();
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "first");
}

TEST_P(ExchangeContract, TellsOnceThatTheClientHasGoneWhileItWaits) {
  ExchangePtr kept;
  std::atomic<int> gone = 0;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->on_disconnect([&] { ++gone; });
    kept = exchange;
  });
  client->leave();
  EXPECT_TRUE(eventually([&] { return gone == 1; }));
  kept->begin_stream(200, {});
  EXPECT_FALSE(kept->write("to nobody"));
  kept->end();
  kept.reset();
  EXPECT_EQ(gone, 1);
}

TEST_P(ExchangeContract, TellsThatTheClientHasGoneDuringAStream) {
  ExchangePtr kept;
  std::atomic<int> gone = 0;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->on_disconnect([&] { ++gone; });
    exchange->begin_stream(200, {});
    exchange->write("once");
    kept = exchange;
  });
  client->leave();
  EXPECT_TRUE(eventually([&] { return gone == 1; }));
  EXPECT_FALSE(kept->write("upon a time"));
}

TEST_P(ExchangeContract, TellsAtOnceIfTheClientHasGoneAlready) {
  ExchangePtr kept;
  std::atomic<bool> gone = false;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->on_disconnect([&] { gone = true; });
    kept = exchange;
  });
  client->leave();
  EXPECT_TRUE(eventually([&] { return gone.load(); }));
  bool again = false;
  kept->on_disconnect([&] { again = true; });
  EXPECT_TRUE(again);
}

TEST_P(ExchangeContract, DoesNotCallACompleteAnswerADisconnect) {
  std::atomic<bool> gone = false;
  ExchangePtr kept;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->on_disconnect([&] { gone = true; });
    exchange->respond({});
    kept = exchange;
  });
  EXPECT_TRUE(client->finish().whole);
  client->leave();
  kept->on_disconnect([&] { gone = true; });
  EXPECT_FALSE(gone);
}

TEST_P(ExchangeContract, CutsOffAClientThatDoesNotRead) {
  ExchangePtr kept;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->begin_stream(200, {});
    kept = exchange;
  });
  // What the kernel takes before it is full is far less than this.
  const std::string chunk(kBufferMax / 2, 'x');
  int written = 0;
  while (written < 1000 && kept->write(chunk)) ++written;
  EXPECT_LT(written, 1000);
  EXPECT_FALSE(kept->write("more"));
  EXPECT_FALSE(client->finish().whole);
}

TEST_P(ExchangeContract, LetsTheCallbackOwnTheLastReferenceToOthers) {
  // A callback is destroyed with the answer, not with the connection.
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = token;
  const auto client = ask([&](const ExchangePtr& exchange) {
    exchange->on_disconnect([token = std::move(token)] { ++*token; });
    exchange->respond({});
  });
  EXPECT_TRUE(watched.expired());
  EXPECT_TRUE(client->finish().whole);
}

}  // namespace
}  // namespace loam::http
