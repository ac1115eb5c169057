// GET /blob/{sha256}: files that are public, for anybody, by their hash. @source DESIGN.md 7.
#include "api/byte_range.h"
#include "api/context.h"
#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"

namespace loam::api {
namespace {

/// Whether one of the tags that a header names is `tag`; "*" is all of them.
bool names_tag(std::string_view header, std::string_view tag) {
  for (std::string_view one : split(header, ',')) {
    one = trim(one);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag || one == "*") return true;
  }
  return false;
}

/// Which bytes are asked for: all, where the client has another file in mind or wants the head.
ByteRange range_of(const http::Request& request, std::string_view tag, std::uint64_t total) {
  const std::string* range = request.headers.find("range");
  const std::string* only_if = request.headers.find("if-range");
  if (range == nullptr || request.method == http::Method::kHead ||
      (only_if != nullptr && trim(*only_if) != tag))
    return {200, 0, total};
  return select_bytes(*range, total);
}

ApiResult<> blob(Context& context, const Call& call) {
  const http::Request& request = call.request();
  const auto digest = crypto::parse_digest(request.params.at(0));
  // One spelling only, so that a cache keeps each file once.
  if (!digest || crypto::digest_hex(*digest) != request.params.at(0))
    return refuse(error_of_status(404, "/blob/ is followed by 64 lower-case hexadecimal digits"));
  auto looked = context.services.blobs.find(*digest);
  if (!looked && looked.error().code == ErrorCode::kCorrupt) {
    log::error("api", "{}; {}", looked.error().message, looked.error().hint);
    return refuse(error_of_status(500, "the file is damaged on this node; its log says which"));
  }
  auto found = LOAM_TRY(std::move(looked));
  const std::string tag = format("\"{}\"", request.params.at(0));
  http::Response response;
  http::Headers& headers = response.headers;
  headers.set("etag", tag);
  headers.set("accept-ranges", "bytes");
  headers.set("cache-control", "public, max-age=31536000, immutable");
  headers.set("access-control-allow-origin", "*");  // it is public
  headers.set("access-control-expose-headers", "etag, accept-ranges, content-range");
  const std::string* known = request.headers.find("if-none-match");
  if (known != nullptr && names_tag(*known, tag)) {
    response.status = 304;
    call.exchange->respond(std::move(response));
    return {};
  }
  const ByteRange range = range_of(request, tag, found.bytes);
  response.status = range.status;
  if (range.status == 416) {
    headers.set("content-range", format("bytes */{}", found.bytes));
    headers.set("cache-control", "no-store");
    call.exchange->respond(std::move(response));
    return {};
  }
  if (range.status == 206)
    headers.set("content-range", format("bytes {}-{}/{}", range.offset,
                                        range.offset + range.bytes - 1, found.bytes));
  // Whatever is in it, no browser shows it as a page of this node.
  headers.set("content-type", "application/octet-stream");
  headers.set("x-content-type-options", "nosniff");
  response.file =
      http::FilePart{std::move(found.file), std::move(found.path), range.offset, range.bytes};
  call.exchange->respond(std::move(response));
  return {};
}

}  // namespace

void add_blob_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/blob/{sha256}", Need::kNothing,
             [&context](const Call& call) { return blob(context, call); });
}

}  // namespace loam::api
