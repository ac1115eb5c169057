// GET, POST and DELETE /loam/v1/consent: what the owner lets requests share by themselves.
#include "api/consent.h"
#include "api/ledger_values.h"
#include "api/shared_answer.h"
#include "api/times.h"
#include "commons/licence.h"

namespace loam::api {
namespace {

constexpr std::size_t kHashBytesMax = 64;

codec::Value standing_value(const std::optional<commons::StandingConsent>& standing) {
  if (!standing) return codec::Object{{"standing", nullptr}};
  codec::Array licences;
  for (const std::string& licence : standing->licences) licences.emplace_back(licence);
  return codec::Object{{"standing", codec::Object{{"licences", std::move(licences)},
                                                  {"scope", scope_value(standing->scope)},
                                                  {"given_at", rfc3339(standing->given_ms)}}}};
}

ApiResult<std::vector<std::string>> read_licences(const Fields& fields) {
  const std::string name = fields.full_name("licences");
  const codec::Value* value = fields.raw("licences");
  const codec::Array* list = value == nullptr ? nullptr : value->as_array();
  if (list == nullptr || list->empty() || list->size() > commons::licences().size())
    return refuse(bad_field(name, "must be an array with at least one licence, and none twice"));
  std::vector<std::string> out;
  for (const codec::Value& item : *list) {
    const std::string* licence = item.as_string();
    if (licence == nullptr) return refuse(bad_field(name, "must be an array of strings"));
    if (const auto known = commons::check_licence(*licence); !known)
      return refuse(ApiError(known.error()).with_param(name));
    out.push_back(*licence);
  }
  return out;
}

/// Made up, so that there is one to be seen before anything was asked.
commons::ShareRequest example(const std::string& licence, ledger::Scope scope) {
  commons::ShareRequest out;
  out.conversation.messages = {
      {"system", "You are a helpful assistant.", ledger::Origin::kUnknown},
      {"user", "I am Ann (ann@example.org). Why is the sky blue?", ledger::Origin::kHuman},
      {"assistant", "Because air scatters blue light more than red light.",
       ledger::Origin::kModel}};
  out.conversation.model_name = "example";
  out.models = {crypto::sha256(as_bytes("example"))};
  out.licence = licence;
  out.scope = scope;
  return out;
}

ApiResult<> show(Context& context, const Call& call) {
  call.respond_json(200, standing_value(LOAM_TRY(context.services.sharing.standing())));
  return {};
}

ApiResult<> give(Context& context, const Call& call) {
  commons::Sharing& sharing = context.services.sharing;
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  auto licences = LOAM_TRY(read_licences(fields));
  const ledger::Scope scope = LOAM_TRY(read_scope(fields));
  if (LOAM_TRY(fields.boolean("preview")).value_or(false)) {
    const auto preview = LOAM_TRY(sharing.preview(example(licences.front(), scope)));
    call.respond_json(200, codec::Object{{"example", preview_value(preview)}});
    return {};
  }
  // Whoever has this has been shown the words.
  if (LOAM_TRY(fields.required_text("consent", kHashBytesMax)) !=
      crypto::digest_hex(commons::consent_id()))
    return refuse(bad_field("consent", "must be the `consent` of the header in a preview"));
  call.respond_json(201, standing_value(LOAM_TRY(sharing.give_standing(licences, scope))));
  return {};
}

ApiResult<> withdraw(Context& context, const Call& call) {
  LOAM_TRY(context.services.sharing.withdraw_standing());
  call.respond_json(200, standing_value({}));
  return {};
}

}  // namespace

void add_loam_consent_routes(Routes& routes, Context& context) {
  const auto add = [&](http::Method method, Need need, auto handler) {
    routes.add(method, "/loam/v1/consent", need,
               [&context, handler](const Call& call) { return handler(context, call); });
  };
  add(http::Method::kGet, Need::kPublish, show);
  add(http::Method::kPost, Need::kAdmin, give);
  add(http::Method::kDelete, Need::kAdmin, withdraw);
}

}  // namespace loam::api
