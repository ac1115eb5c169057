// A running server for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "http/server.h"

namespace loam::http {

inline Response refuse_plainly(int status, std::string_view message) {
  Response response;
  response.status = status;
  response.headers.add("content-type", "text/plain");
  response.body = format("refused {}: {}", status, message);
  return response;
}

class TestServer {
 public:
  TestServer(ServerOptions options, Handler handler, ErrorWriter error_writer = refuse_plainly) {
    auto server = Server::open(std::move(options), std::move(handler), std::move(error_writer));
    if (!server) {
      ADD_FAILURE() << server.error().message;
      std::abort();
    }
    server_ = *std::move(server);
    server_->start();
  }

  std::uint16_t port() const { return server_->port(); }
  Server* operator->() const { return server_.get(); }

 private:
  std::unique_ptr<Server> server_;
};

}  // namespace loam::http
