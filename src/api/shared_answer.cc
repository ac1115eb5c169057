#include "api/shared_answer.h"

#include <algorithm>

#include "api/answer_values.h"
#include "api/chat_request.h"
#include "api/ledger_values.h"
#include "api/text_input.h"
#include "base/format.h"
#include "codec/json.h"
#include "commons/licence.h"

namespace loam::api {
namespace {

ledger::Origin origin_of(std::string_view role) {
  if (role == "user") return ledger::Origin::kHuman;
  if (role == "assistant") return ledger::Origin::kModel;
  return ledger::Origin::kUnknown;  // who wrote a system prompt, nobody says
}

/// What the model was given and what it said to that.
/// @error 400  the prompt was given as tokens: what they say was not kept.
ApiResult<std::vector<ledger::Message>> messages_of(const pool::Answer& answer) {
  std::vector<ledger::Message> out;
  if (!answer.template_system.empty())
    out.push_back({"system", answer.template_system, origin_of("system")});
  const codec::Value prompt = LOAM_TRY(codec::parse_json(answer.prompt_json));
  if (const std::string* text = prompt.as_string()) {
    out.push_back({"user", *text, origin_of("user")});
  } else if (is_token_prompt(prompt)) {
    return refuse(ApiError(Error{ErrorCode::kInvalidArgument,
                                 "share: the prompt was given as tokens, which nobody can read",
                                 "ask again with the prompt as text"}));
  } else {
    for (engine::ChatMessage& message : LOAM_TRY(read_messages(prompt)))
      out.push_back({message.role, std::move(message.content), origin_of(message.role)});
  }
  out.push_back({"assistant", answer.text, origin_of("assistant")});
  return out;
}

/// Whether a message has a name: a template may print it, so that the tokens of the prompt would
/// say what is in no message.
Result<bool> has_names(const pool::Answer& answer) {
  const codec::Value prompt = LOAM_TRY(codec::parse_json(answer.prompt_json));
  const codec::Array* messages = prompt.as_array();
  return messages != nullptr && std::ranges::any_of(*messages, [](const codec::Value& message) {
           return message.find("name") != nullptr;
         });
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

ApiResult<commons::ShareRequest> share_request(const pool::Answer& answer, const Terms& terms) {
  commons::ShareRequest out;
  out.conversation.messages = LOAM_TRY(messages_of(answer));
  out.conversation.model_name = answer.model_name;
  if (!LOAM_TRY(has_names(answer))) out.conversation.replay = replay_value(answer);
  out.models = {answer.model_sha256};
  if (answer.adapter_sha256) out.models.push_back(*answer.adapter_sha256);
  out.licence = terms.licence;
  out.scope = terms.scope;
  out.answer = answer_name(answer);
  return out;
}

codec::Value preview_value(const commons::Preview& preview) {
  // With the salt, which is drawn when it is shared, comes the commitment. DESIGN.md 8.1.
  codec::Array later = {"author", "seq", "time", "body_commitment", "signature"};
  codec::Array masked;
  for (const commons::Preview::Place& place : preview.masked)
    masked.emplace_back(codec::Object{{"message", static_cast<std::int64_t>(place.message)},
                                      {"finding", finding_name(place.finding)},
                                      {"original", place.original}});
  return codec::Object{{"header", header_value(preview.header, false)},
                       {"set_when_published", std::move(later)},
                       {"body", conversation_value(preview.conversation)},
                       {"masked", std::move(masked)},
                       {"meaning", commons::kConsentWords}};
}

}  // namespace loam::api
