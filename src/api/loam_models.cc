// GET /loam/v1/models, GET and DELETE /loam/v1/models/{name...}, POST /loam/v1/models/copy
#include "api/model_removal.h"
#include "api/model_values.h"
#include "api/request_fields.h"

namespace loam::api {
namespace {

constexpr std::size_t kNameBytesMax = 256;

ApiResult<> list(Context& context, const Call& call) {
  const auto models = LOAM_TRY(context.services.catalog.list());
  call.respond_json(200, codec::Object{{"models", model_values(context, call, models)}});
  return {};
}

ApiResult<> show(Context& context, const Call& call) {
  const auto model = context.services.catalog.find(call.request().params.at(0));
  if (!model) return refuse(model_error(model.error()));
  call.respond_json(200, model_value(context, call, *model, Detail::kWhole));
  return {};
}

ApiResult<> remove(Context& context, const Call& call) {
  const std::string name = LOAM_TRY(remove_model(context, call.request().params.at(0)));
  call.respond_json(200, codec::Object{{"id", name}, {"deleted", true}});
  return {};
}

ApiResult<> copy(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string from = LOAM_TRY(fields.required_text("from", kNameBytesMax));
  const std::string to = LOAM_TRY(fields.required_text("to", kNameBytesMax));
  const auto model = context.services.catalog.copy(from, to);
  if (!model) {
    ApiError error = model_error(model.error());
    error.param = error.status == 404 ? "from" : "to";
    return refuse(std::move(error));
  }
  call.respond_json(200, model_value(context, call, *model, Detail::kList));
  return {};
}

}  // namespace

void add_loam_model_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/models", Need::kInfer,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kGet, "/loam/v1/models/{name...}", Need::kInfer,
             [&context](const Call& call) { return show(context, call); });
  routes.add(http::Method::kDelete, "/loam/v1/models/{name...}", Need::kAdmin,
             [&context](const Call& call) { return remove(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/models/copy", Need::kAdmin,
             [&context](const Call& call) { return copy(context, call); });
}

}  // namespace loam::api
