#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/format.h"
#include "env/random.h"
#include "env/thread.h"
#include "http/test_server.h"
#include "http/test_socket.h"
#include "http/test_wait.h"

namespace loam::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Answers with what it saw.
void echo(const ExchangePtr& exchange) {
  const Request& request = exchange->request();
  Response response;
  response.headers.add("content-type", "text/plain");
  response.body = format("{} {} [{}] {}", method_name(request.method), request.path, request.query,
                         request.body);
  exchange->respond(std::move(response));
}

bool status_is(const std::string& reply, int status) {
  return reply.starts_with(format("HTTP/1.1 {} ", status));
}

TEST(Server, AnswersOverOneKeptConnection) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /a%20b?q=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string reply = client.read_reply();
    EXPECT_TRUE(status_is(reply, 200)) << reply;
    EXPECT_TRUE(reply.ends_with("GET /a b [q=1] ")) << reply;
    EXPECT_TRUE(reply.contains("connection: keep-alive")) << reply;
    EXPECT_TRUE(reply.contains("x-request-id: req_")) << reply;
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  std::string all;
  for (int i = 0; i < 20; ++i)
    all += format("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{:03}", i, i);
  client.send(all);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(client.read_reply().ends_with(format("POST /{} [] {:03}", i, i)));
}

TEST(Server, ReadsAClientThatSendsByteByByte) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  for (const char c :
       std::string("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"))
    client.send({&c, 1});
  EXPECT_TRUE(client.read_reply().ends_with("POST /x [] abcde"));
}

TEST(Server, ClosesWhenTheClientAsksForIt) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_TRUE(status_is(reply, 200));
  EXPECT_TRUE(reply.contains("connection: close\r\n"));
}

TEST(Server, AnswersHttp10AndCloses) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.read_all().ends_with("GET / [] "));
}

TEST(Server, GivesNoBodyToHead) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_TRUE(reply.contains("content-length: 11\r\n")) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n\r\n")) << reply;
}

TEST(Server, SendsOnlyTheLengthOfAFileToHeadAndGoesOn) {
  const env::Path path = std::filesystem::temp_directory_path() / env::random_id("loam-http-");
  ASSERT_TRUE(env::write_file_atomic(path, std::string(1'000'000, 'x')));
  const auto file = std::make_shared<const env::Fd>(std::move(*env::open_read(path)));
  ASSERT_TRUE(env::remove_file(path));
  TestServer server({}, [&](const ExchangePtr& exchange) {
    Response response;
    response.file = FilePart{file, path, 0, 1'000'000};
    exchange->respond(std::move(response));
  });
  TestSocket client(server.port());
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_TRUE(head.contains("content-length: 1000000\r\n")) << head;
  }
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_all().ends_with(std::string(1'000'000, 'x')));
}

TEST(Server, InvitesTheBodyOfAClientThatExpectsIt) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_TRUE(client.read_reply().ends_with("POST / [] hi"));
}

TEST(Server, RefusesABodyThatIsTooLargeBeforeItComes) {
  ServerOptions options;
  options.limits.body_bytes_max = 10;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(status_is(client.read_all(), 413));
}

TEST(Server, LetsTheClientReadARefusalWhileItStillSends) {
  ServerOptions options;
  options.limits.body_bytes_max = 10;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(3'000'000, 'x'));
  EXPECT_TRUE(status_is(client.read_all(), 413));
}

TEST(Server, RefusesAChunkedBodyThatGrowsTooLarge) {
  ServerOptions options;
  options.limits.body_bytes_max = 10;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n");
  client.send("3\r\n");
  EXPECT_TRUE(status_is(client.read_all(), 413));
}

TEST(Server, RefusesBodiesThatAreTooLargeTogether) {
  ServerOptions options;
  options.limits.all_bodies_bytes_max = 1000;
  TestServer server(std::move(options), echo);
  const std::string half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n";
  TestSocket first(server.port());
  first.send(half + std::string(600, 'x'));
  TestSocket second(server.port());
  second.send(half + std::string(600, 'x'));
  // Whichever came second is refused, and the other can be completed.
  TestSocket third(server.port());
  third.send(half + std::string(1001, 'x'));
  EXPECT_TRUE(status_is(third.read_all(), 503));
}

TEST(Server, RefusesAHeadThatIsTooLarge) {
  ServerOptions options;
  options.limits.head_bytes_max = 1000;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(1000, 'x'));
  EXPECT_TRUE(status_is(client.read_all(), 431));
}

TEST(Server, GivesUpOnAHeadThatDoesNotEnd) {
  ServerOptions options;
  options.limits.head_timeout_ms = 50;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("GET / HT");
  EXPECT_TRUE(status_is(client.read_all(), 408));
}

TEST(Server, GivesUpOnABodyThatDoesNotEnd) {
  ServerOptions options;
  options.limits.body_timeout_ms = 50;
  TestServer server(std::move(options), echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(status_is(client.read_all(), 408));
}

TEST(Server, ClosesAnIdleConnectionWithoutAWord) {
  ServerOptions options;
  options.limits.idle_timeout_ms = 50;
  TestServer server(std::move(options), echo);
  TestSocket fresh(server.port());
  EXPECT_EQ(fresh.read_all(), "");
  TestSocket used(server.port());
  used.send(kGet);
  EXPECT_TRUE(status_is(used.read_reply(), 200));
  EXPECT_EQ(used.read_all(), "");
}

TEST(Server, AnswersAClientThatClosedItsOwnDirection) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send(kGet);
  client.half_close();
  EXPECT_TRUE(status_is(client.read_all(), 200));
}

TEST(Server, RefusesARequestThatEndsEarly) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  client.half_close();
  EXPECT_TRUE(status_is(client.read_all(), 400));
}

TEST(Server, RefusesRequestsWhoseEndIsInDoubt) {
  TestServer server({}, echo);
  for (const std::string_view fields : {
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
           "Content-Length: 2\r\nContent-Length: 2\r\n",
           "Content-Length: 2, 2\r\n",
           "Content-Length: +2\r\n",
           "Content-Length : 2\r\n",
           "Transfer-Encoding: chunked\r\n Content-Length: 2\r\n",
       }) {
    TestSocket client(server.port());
    client.send(format("POST / HTTP/1.1\r\nHost: x\r\n{}\r\nhi", fields));
    EXPECT_TRUE(status_is(client.read_all(), 400)) << fields;
  }
}

TEST(Server, AnswersGarbageWith400) {
  TestServer server({}, echo);
  TestSocket client(server.port());
  client.send("\x16\x03\x01 what is this\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_TRUE(status_is(reply, 400));
  EXPECT_TRUE(reply.contains("x-request-id: req_"));
  EXPECT_TRUE(reply.contains("refused 400")) << "the body is the error writer's";
}

TEST(Server, SaysWhenTooManyAreConnected) {
  ServerOptions options;
  options.limits.connections_max = 1;
  TestServer server(std::move(options), echo);
  TestSocket first(server.port());
  first.send(kGet);
  first.read_reply();
  TestSocket second(server.port());
  EXPECT_TRUE(status_is(second.read_all(), 503));
  first.send(kGet);
  EXPECT_TRUE(status_is(first.read_reply(), 200));
}

TEST(Server, SaysWhenTooManyRequestsWait) {
  std::binary_semaphore hold(0);
  std::latch running(1);
  ServerOptions options;
  options.handler_threads = 1;
  options.handler_queue_max = 1;
  std::atomic<int> calls = 0;
  std::atomic<int> refused = 0;
  const auto handler = [&](const ExchangePtr& exchange) {
    if (calls++ == 0) {
      running.count_down();
      hold.acquire();
    }
    echo(exchange);
  };
  TestServer server(std::move(options), handler, [&](int status, std::string_view message) {
    ++refused;
    return refuse_plainly(status, message);
  });
  std::vector<std::unique_ptr<TestSocket>> clients;
  const auto ask = [&] {
    clients.push_back(std::make_unique<TestSocket>(server.port()));
    clients.back()->send(kGet);
  };
  ask();
  running.wait();
  for (int i = 0; i < 4; ++i) ask();
  EXPECT_TRUE(eventually([&] { return refused == 3; }));  // one of four has its place in the queue
  hold.release();
  int served = 0;
  for (const auto& client : clients) {
    const std::string reply = client->read_reply();
    if (status_is(reply, 200))
      ++served;
    else
      EXPECT_TRUE(status_is(reply, 503) && reply.contains("retry-after: 1\r\n")) << reply;
  }
  EXPECT_EQ(served, 2);
}

TEST(Server, KnowsALoopbackPeer) {
  TestServer server({}, [](const ExchangePtr& exchange) {
    exchange->respond({.body = exchange->request().peer_is_loopback ? "near" : "far"});
  });
  TestSocket client(server.port());
  client.send(kGet);
  EXPECT_TRUE(client.read_reply().ends_with("near"));
}

TEST(Server, FinishesTheAnswerUnderWayWhenItStops) {
  std::latch running(1);
  std::binary_semaphore hold(0);
  TestServer server({}, [&](const ExchangePtr& exchange) {
    running.count_down();
    hold.acquire();
    echo(exchange);
  });
  TestSocket client(server.port());
  client.send(kGet);
  running.wait();
  const auto stopper =
      env::start_thread("stopper", [&](const std::stop_token&) { server->stop(10'000); });
  hold.release();
  EXPECT_TRUE(status_is(client.read_all(), 200));
}

TEST(Server, CutsWhatDoesNotFinishInTime) {
  std::latch running(1);
  ExchangePtr kept;
  std::atomic<bool> gone = false;
  TestServer server({}, [&](const ExchangePtr& exchange) {
    exchange->on_disconnect([&] { gone = true; });
    kept = exchange;
    running.count_down();
  });
  TestSocket client(server.port());
  client.send(kGet);
  running.wait();
  server->stop(10);
  EXPECT_TRUE(gone);
  EXPECT_EQ(client.read_all(), "");
  kept->respond({});  // too late, and harmless
}

TEST(Server, StopsWhileRequestsPourIn) {
  for (int i = 0; i < 20; ++i) {
    TestServer server({}, echo);
    TestSocket client(server.port());
    for (int j = 0; j < 100; ++j) client.send(kGet);
    server->stop(0);
  }
}

TEST(Server, NamesAddressAndPortThatAreTaken) {
  TestServer server({}, echo);
  ServerOptions options;
  options.port = server.port();
  const auto second = Server::open(std::move(options), echo, refuse_plainly);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(second.error().message.contains(format("127.0.0.1 port {}", server.port())))
      << second.error().message;
}

TEST(Server, RefusesAnAddressThatIsNone) {
  ServerOptions options;
  options.address = "localhost";
  const auto server = Server::open(std::move(options), echo, refuse_plainly);
  ASSERT_FALSE(server.has_value());
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
}

TEST(Server, SurvivesClientsThatReset) {
  TestServer server({}, echo);
  for (int i = 0; i < 50; ++i) {
    TestSocket client(server.port());
    client.send(kGet);
    client.reset();
  }
  TestSocket client(server.port());
  client.send(kGet);
  EXPECT_TRUE(status_is(client.read_reply(), 200));
}

}  // namespace
}  // namespace loam::http
