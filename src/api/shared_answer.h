// From a private answer to what may be shared of it.
#pragma once

#include <string>

#include "api/consent.h"
#include "commons/sharing.h"
#include "pool/answers.h"

namespace loam::api {

/// "chatcmpl-abc" or, of several choices, "chatcmpl-abc#1".
std::string answer_name(const pool::Answer& answer);

/// The whole conversation of an answer as the model was given it, with what a replay of it needs.
/// Whether the model's licence allows `terms` is for check_model_licence().
/// @error 400  the prompt was given as tokens: there is no text to share.
ApiResult<commons::ShareRequest> share_request(const pool::Answer& answer, const Terms& terms);

/// {"header", "set_when_published", "body", "masked", "meaning"}
codec::Value preview_value(const commons::Preview& preview);

}  // namespace loam::api
