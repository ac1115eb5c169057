// From a private answer to what may be shared of it.
#pragma once

#include "api/context.h"
#include "commons/sharing.h"
#include "pool/answers.h"

namespace loam::api {

/// "chatcmpl-abc" or, of several choices, "chatcmpl-abc#1".
std::string answer_name(const pool::Answer& answer);

/// Licence and scope as a request gives them: {"licence": "CC-BY-4.0", "scope": ["train", "eval"]}.
struct Terms {
  std::string licence;
  ledger::Scope scope;
};
/// @error 400 naming the field; both must be there.
ApiResult<Terms> read_terms(const codec::Value& body);

/// The whole conversation of an answer, with what a replay of it needs.
/// @error 403 if the model's licence does not allow training on what it answers and that is asked.
ApiResult<commons::ShareRequest> share_request(const Context& context, const pool::Answer& answer,
                                               const Terms& terms);

}  // namespace loam::api
