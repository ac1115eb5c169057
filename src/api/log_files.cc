// GET /log/checkpoint, /log/tile/..., /log/body/{id}: the node's own log as anybody may read it.
#include "api/context.h"
#include "base/log.h"
#include "ledger/log_source.h"
#include "ledger/tiles.h"

namespace loam::api {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{32} << 20;  // a bundle of 256 largest entries

/// Strangers learn nothing of this machine: this node's log has the rest.
std::unexpected<ApiError> unreadable(const Error& error) {
  log::error("api", "the log cannot be read: {}", error.message);
  return refuse(error_of_status(500, "this part of the log cannot be read now"));
}

ApiResult<> send_file(const Call& call, const env::Path& file, std::string type,
                      std::string_view caching) {
  auto content = env::read_file(file, kFileBytesMax);
  if (!content && content.error().code == ErrorCode::kNotFound)
    return refuse(error_of_status(404, "this part of the log is not there (yet)"));
  if (!content) return unreadable(content.error());
  http::Response response;
  response.body = *std::move(content);
  response.headers.set("content-type", std::move(type));
  response.headers.set("cache-control", std::string(caching));
  response.headers.set("access-control-allow-origin", "*");  // it is public
  call.exchange->respond(std::move(response));
  return {};
}

ApiResult<> checkpoint(Context& context, const Call& call) {
  return send_file(call, context.services.log.folder() / "checkpoint", "text/plain; charset=utf-8",
                   "no-cache");
}

/// Names in the log's folder come from parse_tile_path() alone: no other file can be asked for.
ApiResult<> tile(Context& context, const Call& call) {
  const auto name = ledger::parse_tile_path("tile/" + call.request().params.at(0));
  if (!name) return refuse(error_of_status(404, name.error().message));
  return send_file(
      call,
      context.services.log.folder() / ledger::tile_path(name->level, name->index, name->width),
      "application/octet-stream", "public, max-age=31536000, immutable");
}

ApiResult<> body(Context& context, const Call& call) {
  const auto id = LOAM_TRY(ledger::parse_record_id(call.request().params.at(0)));
  const auto found = context.services.log.find(id);
  if (!found) return unreadable(found.error());
  const auto& stored = *found;
  if (!stored) return refuse(error_of_status(404, "no such record in this log"));
  if (stored->retracted) return refuse(error_of_status(410, "this body was retracted and erased"));
  if (stored->blocked) return refuse(error_of_status(451, "this body is not served here"));
  const auto read = context.services.log.body(id);
  if (!read) return unreadable(read.error());
  const auto& salted = *read;
  if (!salted) return refuse(error_of_status(404, "this record has no body here"));
  http::Response response;
  response.body = ledger::body_json(*salted);
  response.headers.set("content-type", "application/json");
  response.headers.set("cache-control", "no-store");  // it must be able to go
  response.headers.set("access-control-allow-origin", "*");
  call.exchange->respond(std::move(response));
  return {};
}

}  // namespace

void add_log_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/log/checkpoint", Need::kNothing,
             [&context](const Call& call) { return checkpoint(context, call); });
  routes.add(http::Method::kGet, "/log/tile/{path...}", Need::kNothing,
             [&context](const Call& call) { return tile(context, call); });
  routes.add(http::Method::kGet, "/log/body/{id}", Need::kNothing,
             [&context](const Call& call) { return body(context, call); });
}

}  // namespace loam::api
