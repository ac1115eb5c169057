// POST and GET /loam/v1/share, GET and DELETE /loam/v1/share/{id}, POST /loam/v1/share/{id}/now
#include "api/context.h"
#include "api/ledger_values.h"
#include "api/request_fields.h"
#include "api/shared_answer.h"
#include "base/format.h"
#include "base/parse.h"

namespace loam::api {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kListMax = 1000;

/// The submission of the path, if it is the caller's: nobody else's can be told from none.
ApiResult<commons::Submission> find_own(Context& context, const Call& call) {
  const std::string& id = call.request().params.at(0);
  auto found = LOAM_TRY(context.services.sharing.find(id));
  if (call.is_owner() || found.caller == call.caller.id) return found;
  return refuse(
      Error{ErrorCode::kNotFound, format("submission {}: there is none", id), "loam share ls"});
}

/// The answer that is meant: by id, else the newest of the caller.
ApiResult<pool::Answer> find_answer(Context& context, const Call& call, const Fields& fields) {
  const auto id = LOAM_TRY(fields.text("answer", kIdBytesMax));
  const auto choice = LOAM_TRY(fields.integer("choice", 0, UINT32_MAX)).value_or(0);
  std::optional<pool::Answer> newest;
  for (const std::string& caller : call.own_callers()) {
    if (id) {
      auto found = context.services.answers.find(caller, *id, static_cast<std::uint32_t>(choice));
      if (found) return *std::move(found);
      if (found.error().code != ErrorCode::kNotFound) return refuse(found.error());
      continue;
    }
    auto last = LOAM_TRY(context.services.answers.list(caller, 1));
    if (!last.empty() && (!newest || last.front().made_ms > newest->made_ms))
      newest = std::move(last.front());
  }
  if (newest) return *std::move(newest);
  return refuse(Error{ErrorCode::kNotFound,
                      id ? format("answer {}: none of yours, or no longer kept", *id)
                         : std::string("there is no answer yet that could be shared"),
                      "loam share ls"});
}

ApiResult<> share(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const Terms terms = LOAM_TRY(read_terms(fields));
  const bool only_preview = LOAM_TRY(fields.boolean("preview")).value_or(false);
  const bool now = LOAM_TRY(fields.boolean("now")).value_or(false);
  const pool::Answer answer = LOAM_TRY(find_answer(context, call, fields));
  const auto model = context.services.catalog.find(answer.model_name);
  LOAM_TRY(check_model_licence(answer.model_name, model ? model->licence : "", terms));
  if (!call.is_owner()) LOAM_TRY(check_standing(context.services.sharing, terms));
  commons::ShareRequest request = LOAM_TRY(share_request(answer, terms));
  request.caller = call.caller.id;
  if (only_preview) {
    codec::Value shown = preview_value(LOAM_TRY(context.services.sharing.preview(request)));
    shown.set("system_from_template", !answer.template_system.empty());
    // Which answer is the last one may be another when it is published: it is asked for by name.
    shown.set("answer", answer.reply_id);
    shown.set("choice", answer.choice);
    call.respond_json(200, shown);
    return {};
  }
  const auto done = LOAM_TRY(context.services.sharing.share(
      request, now ? commons::When::kNow : commons::When::kAfterCooling));
  call.respond_json(201, submission_value(done));
  return {};
}

ApiResult<> list(Context& context, const Call& call) {
  codec::Array out;
  const std::string_view whose = call.is_owner() ? "" : std::string_view(call.caller.id);
  for (const auto& submission : LOAM_TRY(context.services.sharing.list(kListMax, whose)))
    out.emplace_back(submission_value(submission));
  call.respond_json(200, codec::Object{{"submissions", std::move(out)}});
  return {};
}

ApiResult<> show(Context& context, const Call& call) {
  const auto own = LOAM_TRY(find_own(context, call));
  const auto conversation = LOAM_TRY(context.services.sharing.queued(own.id));
  call.respond_json(200, codec::Object{{"body", conversation_value(conversation)}});
  return {};
}

ApiResult<> cancel(Context& context, const Call& call) {
  const std::string id = LOAM_TRY(find_own(context, call)).id;
  LOAM_TRY(context.services.sharing.cancel(id));
  call.respond_json(200, codec::Object{{"submission", id}, {"deleted", true}});
  return {};
}

ApiResult<> hurry(Context& context, const Call& call) {
  const auto own = LOAM_TRY(find_own(context, call));
  if (!call.is_owner())
    LOAM_TRY(check_standing(context.services.sharing, {own.licence, own.scope}));
  const auto done = LOAM_TRY(context.services.sharing.hurry(own.id));
  call.respond_json(200, submission_value(done));
  return {};
}

}  // namespace

void add_loam_share_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/loam/v1/share", Need::kPublish,
             [&context](const Call& call) { return share(context, call); });
  routes.add(http::Method::kGet, "/loam/v1/share", Need::kPublish,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kGet, "/loam/v1/share/{id}", Need::kPublish,
             [&context](const Call& call) { return show(context, call); });
  routes.add(http::Method::kDelete, "/loam/v1/share/{id}", Need::kPublish,
             [&context](const Call& call) { return cancel(context, call); });
  routes.add(http::Method::kPost, "/loam/v1/share/{id}/now", Need::kPublish,
             [&context](const Call& call) { return hurry(context, call); });
}

}  // namespace loam::api
