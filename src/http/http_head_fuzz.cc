// Drives what the server does with bytes before a handler sees them: reader, router, escapes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "http/request_reader.h"
#include "http/router.h"

namespace {

using loam::http::Limits;
using loam::http::Method;
using loam::http::Request;
using loam::http::RequestReader;
using loam::http::Router;

Limits small_limits() {
  Limits limits;
  limits.head_bytes_max = 1024;
  limits.body_bytes_max = 256;
  return limits;
}

Router routes() {
  Router router;
  const auto nothing = [](const loam::http::ExchangePtr&) {};
  for (const char* pattern :
       {"/", "/v1/models", "/v1/models/{id...}", "/v1/files/{id}", "/v1/files/{id}/content"})
    router.add(Method::kGet, pattern, nothing);
  router.add(Method::kPost, "/v1/{a}/{b}", nothing);
  return router;
}

void check(const Request& request, const Router& router, const Limits& limits) {
  LOAM_CHECK(request.path.starts_with('/'));
  LOAM_CHECK(loam::is_valid_utf8(request.path) && !request.path.contains('\0'));
  LOAM_CHECK(request.body.size() <= limits.body_bytes_max);
  for (const auto& [name, value] : request.headers.all()) {
    LOAM_CHECK(!name.empty());
    for (const std::string_view text : {std::string_view(name), std::string_view(value)})
      LOAM_CHECK(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  const Router::Match match = router.find(request.method, request.path);
  LOAM_CHECK(match.handler == nullptr || match.allow.empty());
  (void)request.query_param("a");
  const auto encoded = loam::http::percent_encode(request.path);
  LOAM_CHECK(loam::http::percent_decode(encoded) == request.path);
}

}  // namespace

/// The first byte says how the rest is cut into pieces: cutting must never change what is read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Limits limits = small_limits();
  static const Router router = routes();
  if (size == 0) return 0;
  const std::size_t piece = data[0] + std::size_t{1};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestReader whole(limits);
  RequestReader cut(limits);
  whole.feed(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    cut.feed(bytes.substr(at, piece));
    LOAM_CHECK(cut.buffered_bytes() <= limits.head_bytes_max + limits.body_bytes_max + size);
  }
  for (;;) {
    LOAM_CHECK(whole.progress() == cut.progress());
    if (whole.progress() != RequestReader::Progress::kComplete) break;
    const Request request = whole.take();
    LOAM_CHECK(request.path == cut.take().path);
    check(request, router, limits);
  }
  if (whole.progress() == RequestReader::Progress::kRefused)
    LOAM_CHECK(whole.refusal().status >= 400 && !whole.refusal().message.empty());
  return 0;
}
