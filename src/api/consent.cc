#include "api/consent.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "commons/licence.h"

namespace loam::api {
namespace {

constexpr std::size_t kLicenceBytesMax = 64;
constexpr const char* kHeader = "X-Commons-Consent";

ApiError not_allowed(std::string code, std::string_view message) {
  ApiError error = error_of_status(403, message);
  error.code = std::move(code);
  return error;
}

ApiResult<std::string> read_licence(const Fields& fields) {
  std::string licence = LOAM_TRY(fields.required_text("licence", kLicenceBytesMax));
  if (const auto known = commons::check_licence(licence); !known)
    return refuse(ApiError(known.error()).with_param(fields.full_name("licence")));
  return licence;
}

/// {"publish": true, "licence": ..., "scope": ...}; `name` goes before the members in errors.
ApiResult<std::optional<Terms>> read_object(const codec::Value& value, const std::string& name) {
  constexpr std::array<std::string_view, 3> kMembers = {"publish", "licence", "scope"};
  const Fields fields = LOAM_TRY(Fields::of(value, name));
  for (const codec::Member& member : *value.as_object())
    if (std::ranges::find(kMembers, member.first) == kMembers.end())
      return refuse(bad_field(name, "takes publish, licence and scope, and nothing else"));
  const auto publish = LOAM_TRY(fields.boolean("publish"));
  if (!publish) return refuse(bad_field(fields.full_name("publish"), "must be true or false"));
  if (*publish) return std::optional<Terms>(LOAM_TRY(read_terms(fields)));
  if (fields.has("licence")) static_cast<void>(LOAM_TRY(read_licence(fields)));
  if (fields.has("scope")) static_cast<void>(LOAM_TRY(read_scope(fields)));
  return std::optional<Terms>();
}

/// "publish; licence=CC-BY-4.0; scope=train,eval", or "private".
ApiResult<std::optional<Terms>> read_header(std::string_view text) {
  const auto parts = split(text, ';');
  const std::string word = to_lower_ascii(trim(parts.front()));
  if (word != "publish" && word != "private")
    return refuse(bad_field(kHeader, "must begin with publish or private"));
  codec::Value object = codec::Object{{"publish", word == "publish"}};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    const std::string name = to_lower_ascii(trim(parts[i].substr(0, equals)));
    if (equals == std::string_view::npos || object.find(name) != nullptr)
      return refuse(bad_field(kHeader, "must be \"publish; licence=SPDX; scope=train,eval\""));
    const std::string_view value = trim(parts[i].substr(equals + 1));
    if (name != "scope") {
      object.set(name, value);
      continue;
    }
    codec::Array words;
    for (const std::string_view one : split(value, ',')) words.emplace_back(trim(one));
    object.set(name, std::move(words));
  }
  return read_object(object, kHeader);
}

}  // namespace

ApiResult<ledger::Scope> read_scope(const Fields& fields) {
  const std::string name = fields.full_name("scope");
  const codec::Value* scope = fields.raw("scope");
  const codec::Array* words = scope == nullptr ? nullptr : scope->as_array();
  ledger::Scope out;
  for (const codec::Value& word : words == nullptr ? codec::Array() : *words) {
    const std::string* text = word.as_string();
    if (text != nullptr && *text == "train")
      out.train = true;
    else if (text != nullptr && *text == "eval")
      out.eval = true;
    else
      return refuse(bad_field(name, "knows only \"train\" and \"eval\""));
  }
  if (!out.train && !out.eval)
    return refuse(bad_field(name, "must be an array with \"train\", \"eval\", or both"));
  return out;
}

ApiResult<Terms> read_terms(const Fields& fields) {
  Terms out;
  out.licence = LOAM_TRY(read_licence(fields));
  out.scope = LOAM_TRY(read_scope(fields));
  return out;
}

ApiResult<std::optional<Terms>> read_consent(const http::Request& request, const Fields& fields) {
  std::vector<std::optional<Terms>> said;
  if (const codec::Value* commons = fields.raw("commons"))
    said.push_back(LOAM_TRY(read_object(*commons, fields.full_name("commons"))));
  for (const auto& [name, value] : request.headers.all())
    if (http::same_name(name, kHeader)) said.push_back(LOAM_TRY(read_header(value)));
  if (said.empty()) return std::optional<Terms>();
  for (const std::optional<Terms>& other : said)
    if (other != said.front())
      return refuse(bad_field(kHeader,
                              "must not say anything else than the body's commons, or than "
                              "the same header said before"));
  return said.front();
}

ApiResult<std::optional<Terms>> consent_of(Context& context, const Call& call,
                                           const Fields& fields) {
  auto terms = LOAM_TRY(read_consent(call.request(), fields));
  if (!terms) return terms;
  if (!call.caller.scopes.publish)
    return refuse(not_allowed("missing_scope",
                              "sharing the answer needs the owner's token or an API key of scope "
                              "publish; nothing was generated or shared"));
  LOAM_TRY(check_standing(context.services.sharing, *terms));
  return terms;
}

ApiResult<> check_one_answer(std::uint32_t n, std::span<const TextInput> prompts) {
  if (n != 1) return refuse(bad_field("n", "must be 1 where the answer is to be shared"));
  if (prompts.size() > 1)
    return refuse(bad_field("prompt", "must be one text where the answer is to be shared"));
  if (!prompts.empty() && !std::holds_alternative<std::string>(prompts.front()))
    return refuse(
        bad_field("prompt", "must be text, not tokens, where the answer is to be shared"));
  return {};
}

ApiResult<> check_standing(commons::Sharing& sharing, const Terms& terms) {
  const auto standing = LOAM_TRY(sharing.standing());
  if (!standing)
    return refuse(not_allowed("no_standing_consent",
                              "the owner of this node has not agreed that requests share their "
                              "answers; `loam share consent` shows what that means, and asks"));
  if (!standing->covers(terms.licence, terms.scope))
    return refuse(not_allowed("outside_standing_consent",
                              "the owner of this node has not agreed to this licence and scope; "
                              "`loam share consent --show` says to which"));
  return {};
}

ApiResult<> check_model_licence(std::string_view model, std::string_view licence,
                                const Terms& terms) {
  if (!terms.scope.train || commons::allows_training_on_outputs(licence)) return {};
  return refuse(not_allowed(
      "licence_bars_training",
      format("share with scope train: the licence of model {} ({}) does not say that what it "
             "answers may train other models; share with scope eval",
             model, licence.empty() ? "unknown" : licence)));
}

}  // namespace loam::api
