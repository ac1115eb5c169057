// GET and POST /loam/v1/keys, DELETE /loam/v1/keys/{id}
#include "api/context.h"
#include "api/request_fields.h"
#include "api/times.h"
#include "base/parse.h"

namespace loam::api {
namespace {

constexpr std::size_t kLabelBytesMax = 128;

codec::Object key_value(const pool::ApiKey& key) {
  codec::Array scopes;
  const std::string text = pool::scopes_text(key.scopes);
  for (const std::string_view scope : split(text, ',')) scopes.emplace_back(scope);
  return codec::Object{{"id", key.id},
                       {"label", key.label},
                       {"scopes", std::move(scopes)},
                       {"created_at", rfc3339(key.created_ms)},
                       {"used_at", rfc3339_or_null(key.used_ms)}};
}

ApiResult<pool::Scopes> read_scopes(const Fields& fields) {
  const codec::Value* value = fields.raw("scopes");
  if (value == nullptr) return pool::Scopes{.infer = true};
  std::string joined;
  const codec::Array* array = value->as_array();
  if (array == nullptr) return refuse(bad_field("scopes", "must be an array of strings"));
  for (const codec::Value& item : *array) {
    const std::string* scope = item.as_string();
    if (scope == nullptr) return refuse(bad_field("scopes", "must be an array of strings"));
    joined += (joined.empty() ? "" : ",") + *scope;
  }
  const auto scopes = pool::parse_scopes(joined);
  if (!scopes) return refuse(ApiError(scopes.error()).with_param("scopes"));
  return *scopes;
}

ApiResult<> list(Context& context, const Call& call) {
  codec::Array keys;
  for (const pool::ApiKey& key : LOAM_TRY(context.services.keys.list()))
    keys.emplace_back(key_value(key));
  call.respond_json(200, codec::Object{{"keys", std::move(keys)}});
  return {};
}

ApiResult<> create(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string label = LOAM_TRY(fields.text("label", kLabelBytesMax)).value_or("");
  const pool::Scopes scopes = LOAM_TRY(read_scopes(fields));
  const auto made = LOAM_TRY(context.services.keys.create(label, scopes));
  codec::Object reply = key_value(made.first);
  reply.emplace_back("key", made.second);
  call.respond_json(201, std::move(reply));
  return {};
}

ApiResult<> revoke(Context& context, const Call& call) {
  const std::string& id = call.request().params.at(0);
  LOAM_TRY(context.services.keys.revoke(id));
  call.respond_json(200, codec::Object{{"id", id}, {"deleted", true}});
  return {};
}

}  // namespace

void add_loam_key_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/keys", Need::kAdmin,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/keys", Need::kAdmin,
             [&context](const Call& call) { return create(context, call); });
  routes.add(http::Method::kDelete, "/loam/v1/keys/{id}", Need::kAdmin,
             [&context](const Call& call) { return revoke(context, call); });
}

}  // namespace loam::api
