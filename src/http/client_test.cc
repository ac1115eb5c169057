#include "http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>

#include "base/format.h"
#include "env/guarded.h"
#include "env/thread.h"
#include "http/test_server.h"
#include "http/test_wait.h"

namespace loam::http {
namespace {

ClientRequest get(std::uint16_t port, std::string_view target) {
  ClientRequest request;
  request.url = format("http://127.0.0.1:{}{}", port, target);
  return request;
}

Handler redirect_to(std::string location, int status = 302) {
  return [location = std::move(location), status](const ExchangePtr& exchange) {
    Response response{.status = status, .body = "elsewhere"};
    response.headers.add("location", location);
    exchange->respond(std::move(response));
  };
}

void echo(const ExchangePtr& exchange) {
  const Request& request = exchange->request();
  Response response;
  response.body = format("{} {} {}", method_name(request.method), request.path, request.body);
  for (const char* name : {"authorization", "cookie", "x-custom", "range"})
    if (const std::string* const value = request.headers.find(name))
      response.body += format(" {}={}", name, *value);
  exchange->respond(std::move(response));
}

TEST(Client, SendsEachMethodWithItsBody) {
  TestServer server({}, echo);
  for (const Method method :
       {Method::kGet, Method::kPost, Method::kPut, Method::kDelete, Method::kOptions}) {
    ClientRequest request = get(server.port(), "/x");
    request.method = method;
    if (method != Method::kGet) request.body = "body";
    const auto reply = fetch(request);
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->body, format("{} /x {}", method_name(method), request.body));
  }
}

TEST(Client, SendsHeadersAsGiven) {
  TestServer server({}, echo);
  ClientRequest request = get(server.port(), "/x");
  request.headers.add("Authorization", "Bearer k");
  request.headers.add("range", "bytes=3-");
  request.headers.add("x-custom", "");
  const auto reply = fetch(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->body, "GET /x  authorization=Bearer k x-custom= range=bytes=3-");
}

TEST(Client, TakesAnyStatusForAnAnswer) {
  TestServer server({}, [](const ExchangePtr& exchange) {
    Response response{.status = 404, .body = "none"};
    response.headers.add("X-Note", " n ");
    exchange->respond(std::move(response));
  });
  const auto reply = fetch(get(server.port(), "/"));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->body, "none");
  EXPECT_EQ(*reply->headers.find("x-note"), "n");
}

TEST(Client, AsksForTheHeadOnly) {
  TestServer server({}, echo);
  ClientRequest request = get(server.port(), "/x");
  request.method = Method::kHead;
  const auto reply = fetch(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->body, "");
  EXPECT_EQ(*reply->headers.find("content-length"), "8");
}

TEST(Client, RefusesHeadersThatCouldForgeOthers) {
  for (const auto& [name, value] :
       {std::pair{"a\r\nb", "c"}, {"a", "b\r\nc: d"}, {"a:b", "c"}, {"", "c"}}) {
    ClientRequest request = get(1, "/");
    request.headers.add(name, value);
    const auto reply = fetch(request);
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Client, ServesHttpAndHttpsOnly) {
  const auto code = [](const char* url) {
    ClientRequest request;
    request.url = url;
    const auto reply = fetch(request);
    return reply ? ErrorCode::kInternal : reply.error().code;
  };
  EXPECT_EQ(code("file:///etc/passwd"), ErrorCode::kUnsupported);
  EXPECT_EQ(code("ftp://127.0.0.1/"), ErrorCode::kUnsupported);
  EXPECT_EQ(code(""), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:80"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("http://"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("http://a b/"), ErrorCode::kInvalidArgument);
}

TEST(Client, FollowsRedirectsAndGivesTheLastHeadOnly) {
  TestServer server({}, [](const ExchangePtr& exchange) {
    if (exchange->request().path == "/end") return echo(exchange);
    redirect_to("/end")(exchange);
  });
  int heads = 0;
  ClientCallbacks callbacks;
  callbacks.on_head = [&](const ReplyHead& head) {
    ++heads;
    EXPECT_EQ(head.status, 200);
    return true;
  };
  std::string body;
  callbacks.on_data = [&](std::string_view data) {
    body += data;
    return true;
  };
  const auto head = fetch_stream(get(server.port(), "/start"), callbacks);
  ASSERT_TRUE(head.has_value()) << head.error().message;
  EXPECT_EQ(heads, 1);
  EXPECT_EQ(body, "GET /end ");
}

TEST(Client, ShowsTheRedirectIfItMayNotFollow) {
  TestServer server({}, redirect_to("/end"));
  ClientRequest request = get(server.port(), "/start");
  request.redirects_max = 0;
  const auto reply = fetch(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->status, 302);
  EXPECT_EQ(*reply->headers.find("location"), "/end");
}

TEST(Client, GivesUpOnARingOfRedirects) {
  TestServer server({}, redirect_to("/again"));
  const auto reply = fetch(get(server.port(), "/"));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(Client, IsNotLedToOtherSchemes) {
  TestServer server({}, redirect_to("file:///etc/passwd"));
  const auto reply = fetch(get(server.port(), "/"));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnsupported);
}

TEST(Client, KeepsCredentialsFromAnotherHost) {
  TestServer other({}, echo);
  TestServer server({}, redirect_to(format("http://127.0.0.1:{}/end", other.port()), 307));
  ClientRequest request = get(server.port(), "/");
  request.headers.add("authorization", "Bearer secret");
  request.headers.add("cookie", "secret=1");
  request.headers.add("x-custom", "1");
  const auto reply = fetch(request);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->body, "GET /end  x-custom=1");
}

TEST(Client, StopsAtABodyThatIsTooLarge) {
  TestServer server(
      {}, [](const ExchangePtr& exchange) { exchange->respond({.body = std::string(1001, 'x')}); });
  ClientRequest request = get(server.port(), "/");
  request.body_bytes_max = 1000;
  const auto reply = fetch(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kResourceExhausted);
  request.body_bytes_max = 1001;
  EXPECT_TRUE(fetch(request).has_value());
}

/// Answers with the begin of a stream, and no end.
class Unending {
 public:
  TestServer& server() { return server_; }
  bool gone() const { return gone_; }

 private:
  std::atomic<bool> gone_ = false;
  env::Guarded<ExchangePtr> kept_;
  TestServer server_{{}, [this](const ExchangePtr& exchange) {
                       exchange->on_disconnect([this] { gone_ = true; });
                       exchange->begin_stream(200, {});
                       exchange->write("begun");
                       kept_.with([&](ExchangePtr& kept) { kept = exchange; });
                     }};
};

TEST(Client, GivesUpOnAStall) {
  Unending unending;
  ClientRequest request = get(unending.server().port(), "/");
  request.stall_timeout_ms = 50;
  const auto reply = fetch(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(reply.error().message.contains("after 5 bytes")) << reply.error().message;
  EXPECT_TRUE(eventually([&] { return unending.gone(); }));
}

TEST(Client, GivesUpWhenTheWholeTakesTooLong) {
  Unending unending;
  ClientRequest request = get(unending.server().port(), "/");
  request.total_timeout_ms = 50;
  const auto reply = fetch(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(Client, StopsWhenItIsTold) {
  Unending unending;
  std::atomic<bool> begun = false;
  ClientCallbacks callbacks;
  callbacks.on_data = [&](std::string_view) {
    begun = true;
    return true;
  };
  callbacks.should_stop = [&] { return begun.load(); };
  const auto reply = fetch_stream(get(unending.server().port(), "/"), callbacks);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(eventually([&] { return unending.gone(); }));
}

TEST(Client, StopsAtTheHeadIfThatIsEnough) {
  Unending unending;
  ClientCallbacks callbacks;
  callbacks.on_head = [](const ReplyHead&) { return false; };
  const auto reply = fetch_stream(get(unending.server().port(), "/"), callbacks);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kCancelled);
}

TEST(Client, DoesNotTakeAHalfReplyForAWholeOne) {
  TestServer server({}, [](const ExchangePtr& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("half");
  });
  const auto reply = fetch(get(server.port(), "/"));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(Client, ShowsNoSecretOfAUrlInMessages) {
  ClientRequest request;
  request.url = "http://user:password@127.0.0.1:1/path?token=hidden";
  const auto reply = fetch(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_TRUE(reply.error().message.contains("http://127.0.0.1:1/path:")) << reply.error().message;
  EXPECT_EQ(shown_url(request.url), "http://127.0.0.1:1/path");
  EXPECT_EQ(shown_url("http://user:pass/word@host/"), "what was given");
}

TEST(Client, SaysThatNobodyListens) {
  std::uint16_t port = 0;
  {
    const TestServer server({}, echo);
    port = server.port();
  }
  const auto reply = fetch(get(port, "/"));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(reply.error().message.contains(format("127.0.0.1:{}", port)));
}

}  // namespace
}  // namespace loam::http
