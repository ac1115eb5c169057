// Streams through real sockets: order, gathering, slow and vanishing clients, many at once.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/format.h"
#include "env/guarded.h"
#include "env/thread.h"
#include "http/test_server.h"
#include "http/test_socket.h"
#include "http/test_wait.h"

namespace loam::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Begins a stream for each request and keeps them all.
class Streams {
 public:
  Handler handler() {
    return [this](const ExchangePtr& exchange) {
      exchange->on_disconnect([this] { ++gone_; });
      exchange->begin_stream(200, {});
      all_.with([&](auto& all) { all.push_back(exchange); });
    };
  }
  std::size_t count() {
    return all_.with([](auto& all) { return all.size(); });
  }
  std::vector<ExchangePtr> wait_for(std::size_t number) {
    EXPECT_TRUE(eventually([&] { return count() == number; }));
    return all_.with([](auto& all) { return std::exchange(all, {}); });
  }
  int gone() const { return gone_; }

 private:
  std::atomic<int> gone_ = 0;
  env::Guarded<std::vector<ExchangePtr>> all_;
};

TEST(Stream, SendsEachChunkAsItComes) {
  Streams streams;
  TestServer server({}, streams.handler());
  TestSocket client(server.port());
  client.send(kGet);
  const ExchangePtr stream = streams.wait_for(1).front();
  EXPECT_TRUE(client.read_until("\r\n\r\n").contains("transfer-encoding: chunked\r\n"));
  stream->write("one");
  EXPECT_EQ(client.read_until("one\r\n"), "3\r\none\r\n");
  stream->write("second");
  EXPECT_EQ(client.read_until("second\r\n"), "6\r\nsecond\r\n");
  stream->end();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
  client.send(kGet);  // the connection lives on
  streams.wait_for(1).front()->end();
  EXPECT_TRUE(client.read_until("0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(Stream, EndsWithTheConnectionForHttp10) {
  Streams streams;
  TestServer server({}, streams.handler());
  TestSocket client(server.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const ExchangePtr stream = streams.wait_for(1).front();
  stream->write("ab");
  stream->write("cd");
  stream->end();
  const std::string reply = client.read_all();
  EXPECT_TRUE(reply.ends_with("\r\n\r\nabcd")) << reply;
  EXPECT_FALSE(reply.contains("chunked")) << reply;
}

TEST(Stream, HasNoBodyForHead) {
  Streams streams;
  TestServer server({}, streams.handler());
  TestSocket client(server.port());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const ExchangePtr stream = streams.wait_for(1).front();
  stream->write("unseen");
  stream->end();
  EXPECT_TRUE(client.read_all().ends_with("\r\n\r\n"));
}

TEST(Stream, ServesTwoHundredAtOnce) {
  constexpr std::size_t kStreams = 200;
  constexpr int kEvents = 50;
  Streams streams;
  TestServer server({}, streams.handler());
  std::vector<std::unique_ptr<TestSocket>> clients;
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<TestSocket>(server.port()));
    clients.back()->send(kGet);
  }
  {
    const auto all = streams.wait_for(kStreams);
    EXPECT_EQ(server->open_connections(), kStreams);
    for (int event = 0; event < kEvents; ++event)
      for (const ExchangePtr& stream : all) EXPECT_TRUE(stream->write(format("[{}]", event)));
    for (const ExchangePtr& stream : all) stream->end();
  }
  for (const auto& client : clients) {
    const std::string reply = client->read_until("0\r\n\r\n");
    std::size_t at = 0;
    for (int event = 0; event < kEvents && at != std::string::npos; ++event)
      at = reply.find(format("[{}]", event), at);
    EXPECT_NE(at, std::string::npos) << reply;
  }
  EXPECT_EQ(streams.gone(), 0);
}

TEST(Stream, NoticesEveryClientThatLeaves) {
  constexpr int kStreams = 50;
  Streams streams;
  TestServer server({}, streams.handler());
  std::vector<std::unique_ptr<TestSocket>> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<TestSocket>(server.port()));
    clients.back()->send(kGet);
  }
  const auto all = streams.wait_for(kStreams);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i % 2 == 0)
      clients[i]->close();
    else
      clients[i]->reset();
  }
  EXPECT_TRUE(eventually([&] { return streams.gone() == kStreams; }));
  EXPECT_TRUE(eventually([&] { return server->open_connections() == 0; }));
  for (const ExchangePtr& stream : all) EXPECT_FALSE(stream->write("x"));
}

TEST(Stream, CutsOffAClientThatTakesNoByte) {
  ServerOptions options;
  options.limits.write_stall_ms = 50;
  const std::string body(32U << 20, 'x');
  TestServer server(std::move(options),
                    [&](const ExchangePtr& exchange) { exchange->respond({.body = body}); });
  TestSocket client(server.port(), 4096);
  client.send(kGet);
  EXPECT_TRUE(client.read_until("\r\n\r\n").contains("content-length: 33554432\r\n"));
  EXPECT_TRUE(eventually([&] { return server->open_connections() == 0; }));
  EXPECT_LT(client.read_all().size(), body.size());
}

TEST(Stream, DeliversALongResponseToASlowReader) {
  const std::string body(8U << 20, 'x');
  TestServer server({}, [&](const ExchangePtr& exchange) { exchange->respond({.body = body}); });
  TestSocket client(server.port(), 4096);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_EQ(reply.size() - reply.find("\r\n\r\n") - 4, body.size());
}

TEST(Stream, WaitsForAClientThatSendsAhead) {
  // Requests that come while an answer is under way are neither lost nor read without end.
  ServerOptions options;
  options.limits.head_bytes_max = 2000;
  TestServer server(std::move(options), [&](const ExchangePtr& exchange) {
    exchange->respond({.body = exchange->request().path});
  });
  TestSocket client(server.port());
  constexpr int kRequests = 2000;
  const auto sender = env::start_thread("sender", [&](const std::stop_token&) {
    for (int i = 0; i < kRequests; ++i)
      client.send(format("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", i));
  });
  for (int i = 0; i < kRequests; ++i)
    ASSERT_TRUE(client.read_reply().ends_with(format("/{}", i))) << i;
}

TEST(Stream, LetsNoHeaderValueForgeAField) {
  TestServer server({}, [](const ExchangePtr& exchange) {
    exchange->add_header("x-a", "1\r\nx-forged: 2");
    Response response;
    response.headers.add("content-length", "99");
    response.body = "abc";
    exchange->respond(std::move(response));
  });
  TestSocket client(server.port());
  client.send(kGet);
  const std::string reply = client.read_reply();
  EXPECT_TRUE(reply.contains("x-a: 1  x-forged: 2\r\n")) << reply;
  EXPECT_TRUE(reply.contains("content-length: 3\r\n")) << reply;
  EXPECT_FALSE(reply.contains("content-length: 99")) << reply;
}

TEST(Stream, MayOutliveItsServer) {
  Streams streams;
  ExchangePtr stream;
  {
    TestServer server({}, streams.handler());
    TestSocket client(server.port());
    client.send(kGet);
    stream = streams.wait_for(1).front();
  }
  EXPECT_EQ(streams.gone(), 1);
  EXPECT_FALSE(stream->write("x"));
  stream->end();
}

}  // namespace
}  // namespace loam::http
