// GET and POST /loam/v1/follow, DELETE /loam/v1/follow/{id}
#include "api/context.h"
#include "api/request_fields.h"
#include "api/times.h"
#include "commons/follow.h"

namespace loam::api {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kKeyBytesMax = 512;

codec::Value log_value(const commons::FollowedLog& log) {
  codec::Value out = codec::Object{{"id", log.id},
                                   {"url", log.url},
                                   {"key", log.key},
                                   {"origin", log.origin},
                                   {"state", state_name(log.state)},
                                   {"records", log.records},
                                   {"behind", log.behind},
                                   {"added_at", rfc3339(log.added_ms)},
                                   {"polled_at", rfc3339_or_null(log.polled_ms)}};
  if (!log.trouble.empty()) out.set("trouble", log.trouble);
  if (!log.evidence.empty()) out.set("evidence", log.evidence);
  return out;
}

ApiResult<> list(Context& context, const Call& call) {
  codec::Array logs;
  for (const commons::FollowedLog& log : LOAM_TRY(context.services.following.list()))
    logs.push_back(log_value(log));
  call.respond_json(
      200, codec::Object{{"logs", std::move(logs)}, {"offline", context.settings.pull.offline}});
  return {};
}

ApiResult<> add(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string url = LOAM_TRY(fields.required_text("url", kUrlBytesMax));
  const std::string key = LOAM_TRY(fields.required_text("key", kKeyBytesMax));
  call.respond_json(201, log_value(LOAM_TRY(context.services.following.add(url, key))));
  return {};
}

ApiResult<> remove(Context& context, const Call& call) {
  const std::string& id = call.request().params.at(0);
  LOAM_TRY(context.services.following.remove(id));
  call.respond_json(200, codec::Object{{"id", id}, {"deleted", true}});
  return {};
}

}  // namespace

void add_loam_follow_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/follow", Need::kAdmin,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/follow", Need::kAdmin,
             [&context](const Call& call) { return add(context, call); });
  routes.add(http::Method::kDelete, "/loam/v1/follow/{id}", Need::kAdmin,
             [&context](const Call& call) { return remove(context, call); });
}

}  // namespace loam::api
