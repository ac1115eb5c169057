// What a followed server's answers mean, and what it cannot have this node do or say.
#include "commons/http_log_source.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/format.h"
#include "http/test_server.h"

namespace loam::commons {
namespace {

class HttpLogSourceTest : public ::testing::Test {
 protected:
  /// What reading /log/FILE comes to.
  Result<std::string> read(std::string_view file, std::string_view user = {}) {
    const auto source = open_http_log(format("http://{}127.0.0.1:{}/log/", user, server_.port()));
    EXPECT_TRUE(source) << source.error().message;
    return (*source)->read(file, 1U << 20);
  }

  std::atomic<int> elsewhere_ = 0;
  http::TestServer server_{{}, [this](const http::ExchangePtr& exchange) {
                             const std::string& path = exchange->request().path;
                             http::Response response;
                             response.body = "content";
                             if (path == "/log/moved") {
                               response.status = 302;
                               response.headers.add("location", "/elsewhere");
                             } else if (path.starts_with("/log/4") || path.starts_with("/log/5")) {
                               response.status = std::stoi(path.substr(5));
                             }
                             if (path == "/elsewhere") ++elsewhere_;
                             exchange->respond(std::move(response));
                           }};
};

TEST_F(HttpLogSourceTest, WhatIsGoneIsToldFromWhatMayComeLater) {
  EXPECT_EQ(read("checkpoint").value(), "content");
  for (const char* gone : {"403", "404", "410", "451"})
    EXPECT_EQ(read(gone).error().code, ErrorCode::kNotFound) << gone;
  for (const char* passing : {"408", "429", "500", "503"})
    EXPECT_EQ(read(passing).error().code, ErrorCode::kUnavailable) << passing;
}

TEST_F(HttpLogSourceTest, AServerCannotSendThisNodeToAnother) {
  const auto moved = read("moved");
  EXPECT_EQ(moved.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(moved.error().message.contains("302")) << moved.error().message;
  EXPECT_EQ(elsewhere_, 0);
}

TEST_F(HttpLogSourceTest, MessagesNameTheUrlWithoutWhatMayBeSecret) {
  for (const char* file : {"500", "404", "moved"}) {
    const std::string message = read(file, "ann:hunter2@").error().message;
    EXPECT_FALSE(message.contains("hunter2")) << message;
    EXPECT_TRUE(message.contains(format("http://127.0.0.1:{}/log/{}", server_.port(), file)))
        << message;
  }
  EXPECT_EQ((*open_http_log("https://ann:hunter2@example.org/log/?key=hunter3"))->name(),
            "https://example.org/log");
  EXPECT_EQ((*open_http_log("https://example.org"))->name(), "https://example.org");
  const auto ftp = open_http_log("ftp://ann:hunter2@example.org/log");
  EXPECT_EQ(ftp.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(ftp.error().message.contains("hunter2")) << ftp.error().message;
}

}  // namespace
}  // namespace loam::commons
