// GET /v1/models, GET and DELETE /v1/models/{id...}
//
// One shape for the clients of OpenAI (id, object, created, owned_by) and of Anthropic (type,
// display_name, created_at; first_id, last_id, has_more).
#include <algorithm>

#include "api/model_removal.h"
#include "api/times.h"

namespace loam::api {
namespace {

/// Tokens that one request may hold here.
std::uint32_t context_of(const Context& context, const catalog::Model& model,
                         const std::vector<pool::Resident>& loaded) {
  for (const pool::Resident& one : loaded)
    if (one.name == model.name) return one.info.context;
  return std::min(model.facts.context, context.settings.load.context);
}

codec::Value model_value(const Context& context, const catalog::Model& model,
                         const std::vector<pool::Resident>& loaded) {
  const std::uint32_t tokens = context_of(context, model, loaded);
  return codec::Object{
      {"id", model.name},
      {"object", "model"},
      {"created", model.added_ms / 1000},
      {"owned_by", "local"},
      {"type", "model"},
      {"display_name", model.facts.display_name.empty() ? model.name : model.facts.display_name},
      {"created_at", rfc3339(model.added_ms)},
      {"max_model_len", tokens},
      {"licence", model.licence},
  };
}

ApiResult<> list_models(Context& context, const Call& call) {
  const auto models = LOAM_TRY(context.services.catalog.list());
  const auto loaded = context.services.residency.list();
  codec::Array data;
  for (const catalog::Model& model : models) data.push_back(model_value(context, model, loaded));
  const auto id_or_null = [&](bool first) {
    if (models.empty()) return codec::Value();
    return codec::Value(first ? models.front().name : models.back().name);
  };
  call.respond_json(200, codec::Object{{"object", "list"},
                                       {"data", std::move(data)},
                                       {"first_id", id_or_null(true)},
                                       {"last_id", id_or_null(false)},
                                       {"has_more", false}});
  return {};
}

ApiResult<> show_model(Context& context, const Call& call) {
  const auto model = context.services.catalog.find(call.request().params.at(0));
  if (!model) return refuse(model_error(model.error()));
  call.respond_json(200, model_value(context, *model, context.services.residency.list()));
  return {};
}

ApiResult<> delete_model(Context& context, const Call& call) {
  const std::string id = LOAM_TRY(remove_model(context, call.request().params.at(0)));
  call.respond_json(200, codec::Object{{"id", id}, {"object", "model"}, {"deleted", true}});
  return {};
}

}  // namespace

ApiResult<std::string> remove_model(Context& context, const std::string& name) {
  const auto model = context.services.catalog.find(name);
  if (!model) return refuse(model_error(model.error()));
  // Unloaded first, so that a deleted file does not live on in memory. Not loaded is fine.
  static_cast<void>(context.services.residency.unload(model->name).has_value());
  context.models.forget_warm();
  LOAM_TRY(context.services.catalog.remove(model->name));
  return model->name;
}

void add_model_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/v1/models", Need::kInfer,
             [&context](const Call& call) { return list_models(context, call); });
  routes.add(http::Method::kGet, "/v1/models/{id...}", Need::kInfer,
             [&context](const Call& call) { return show_model(context, call); });
  routes.add(http::Method::kDelete, "/v1/models/{id...}", Need::kAdmin,
             [&context](const Call& call) { return delete_model(context, call); });
}

}  // namespace loam::api
