#include "api/shared_answer.h"

#include "api/answer_values.h"
#include "api/request_fields.h"
#include "base/format.h"
#include "codec/json.h"
#include "commons/licence.h"

namespace loam::api {
namespace {

constexpr std::size_t kLicenceBytesMax = 64;

/// The text of a message's content: a string, or parts of which only text can be shared.
std::string content_text(const codec::Value& content) {
  if (const std::string* text = content.as_string()) return *text;
  std::string out;
  if (const codec::Array* parts = content.as_array())
    for (const codec::Value& part : *parts)
      if (const codec::Value* text = part.find("text"); text != nullptr && text->as_string())
        out += *text->as_string();
  return out;
}

ledger::Origin origin_of(std::string_view role) {
  if (role == "user") return ledger::Origin::kHuman;
  if (role == "assistant") return ledger::Origin::kModel;
  return ledger::Origin::kUnknown;  // who wrote a system prompt, nobody says
}

std::vector<ledger::Message> messages_of(const pool::Answer& answer) {
  std::vector<ledger::Message> out;
  const auto prompt = codec::parse_json(answer.prompt_json);
  const codec::Array* asked = prompt ? prompt->as_array() : nullptr;
  if (asked == nullptr) {
    const std::string* text = prompt ? prompt->as_string() : nullptr;
    out.push_back({"user", text == nullptr ? answer.prompt_json : *text, ledger::Origin::kHuman});
  } else {
    for (const codec::Value& message : *asked) {
      const codec::Value* role = message.find("role");
      const codec::Value* content = message.find("content");
      if (role == nullptr || role->as_string() == nullptr || content == nullptr) continue;
      out.push_back({*role->as_string(), content_text(*content), origin_of(*role->as_string())});
    }
  }
  out.push_back({"assistant", answer.text, ledger::Origin::kModel});
  return out;
}

/// All whole numbers: a body has no float. @source docs/formats/gumbel-v1.md for their meaning.
codec::Value replay_value(const pool::Answer& answer) {
  return codec::Object{
      {"sampler", "gumbel-v1"},
      {"sampling", sampling_value(answer.sampling)},
      {"engine_build", answer.engine_build},
      {"cpu_class", answer.cpu_class},
      {"choice", answer.choice},
      {"prompt_tokens", numbers(answer.prompt_tokens)},
      {"output_tokens", numbers(answer.output_tokens)},
      {"lp16", numbers(answer.lp16)},
      {"seed_mode", seed_mode_name(answer.seed_mode)},
      {"seed_entropy", Bytes(answer.seed_entropy.begin(), answer.seed_entropy.end())}};
}

}  // namespace

std::string answer_name(const pool::Answer& answer) {
  return answer.choice == 0 ? answer.reply_id : format("{}#{}", answer.reply_id, answer.choice);
}

ApiResult<Terms> read_terms(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  Terms out;
  out.licence = LOAM_TRY(fields.required_text("licence", kLicenceBytesMax));
  if (const auto known = commons::check_licence(out.licence); !known)
    return refuse(ApiError(known.error()).with_param("licence"));
  const codec::Value* scope = fields.raw("scope");
  const codec::Array* words = scope == nullptr ? nullptr : scope->as_array();
  for (const codec::Value& word : words == nullptr ? codec::Array() : *words) {
    const std::string* text = word.as_string();
    if (text != nullptr && *text == "train")
      out.scope.train = true;
    else if (text != nullptr && *text == "eval")
      out.scope.eval = true;
    else
      return refuse(bad_field("scope", "knows only \"train\" and \"eval\""));
  }
  if (!out.scope.train && !out.scope.eval)
    return refuse(bad_field("scope", "must be an array with \"train\", \"eval\", or both"));
  return out;
}

ApiResult<commons::ShareRequest> share_request(const Context& context, const pool::Answer& answer,
                                               const Terms& terms) {
  if (terms.scope.train) {
    const auto model = context.services.catalog.find(answer.model_name);
    const std::string licence = model ? model->licence : "";
    if (!commons::allows_training_on_outputs(licence)) {
      ApiError error = error_of_status(
          403,
          format("share with scope train: the licence of model {} ({}) does not say that what it "
                 "answers may train other models; share with scope eval",
                 answer.model_name, licence.empty() ? "unknown" : licence));
      error.code = "licence_bars_training";
      return refuse(std::move(error));
    }
  }
  commons::ShareRequest out;
  out.conversation.messages = messages_of(answer);
  out.conversation.model_name = answer.model_name;
  out.conversation.replay = replay_value(answer);
  out.models = {answer.model_sha256};
  out.licence = terms.licence;
  out.scope = terms.scope;
  out.answer = answer_name(answer);
  return out;
}

}  // namespace loam::api
