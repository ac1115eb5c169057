// GET /loam/v1/ps, POST /loam/v1/load, POST /loam/v1/unload
#include "api/generation_fields.h"
#include "api/model_values.h"
#include "api/with_model.h"

namespace loam::api {
namespace {

ApiResult<> list(Context& context, const Call& call) {
  codec::Array models;
  for (const pool::Resident& one : context.services.residency.list())
    models.push_back(resident_value(one));
  call.respond_json(200, codec::Object{{"models", std::move(models)}});
  return {};
}

ApiResult<> load(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string name = LOAM_TRY(fields.required_text("model", kModelNameBytesMax));
  const auto keep_alive_s = LOAM_TRY(read_keep_alive(fields));
  with_model(context, call, name, keep_alive_s,
             [&clock = context.services.clock, call](const pool::Lease& lease) -> ApiResult<> {
               call.respond_json(200,
                                 codec::Object{{"model", lease.model().name},
                                               {"context", lease.engine().info().context},
                                               {"load_ms", clock.steady_ms() - call.started_ms}});
               return {};
             });
  return {};
}

ApiResult<> unload(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::string name = LOAM_TRY(fields.required_text("model", kModelNameBytesMax));
  const auto model = context.services.catalog.find(name);
  if (!model) return refuse(model_error(model.error()));
  context.models.forget_warm();
  const auto done = context.services.residency.unload(model->name);
  if (!done) return refuse(model_error(done.error()));
  call.respond_json(200, codec::Object{{"model", model->name}, {"unloaded", true}});
  return {};
}

}  // namespace

void add_loam_residency_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/ps", Need::kInfer,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/load", Need::kAdmin,
             [&context](const Call& call) { return load(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/unload", Need::kAdmin,
             [&context](const Call& call) { return unload(context, call); });
}

}  // namespace loam::api
