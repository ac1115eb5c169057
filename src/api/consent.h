// Consent in a request: body field `commons` or header X-Commons-Consent. @source DESIGN.md 7, 8.9.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "api/context.h"
#include "api/request_fields.h"
#include "api/text_input.h"

namespace loam::api {

/// Under which licence and for what an answer is shared.
struct Terms {
  std::string licence;
  ledger::Scope scope;
  friend bool operator==(const Terms&, const Terms&) = default;
};

/// {"licence": "CC-BY-4.0", "scope": ["train", "eval"]} among other fields; both must be there.
/// @error 400 naming the field.
ApiResult<Terms> read_terms(const Fields& fields);
ApiResult<ledger::Scope> read_scope(const Fields& fields);

/// How the request asks that its answer be shared; empty: it stays private.
/// @error 400 naming the field: a member that is not known, a wrong type, licence or scope; body
/// and
///        header that do not say the same.
ApiResult<std::optional<Terms>> read_consent(const http::Request& request, const Fields& fields);

/// read_consent(), for a caller that may publish, within what the owner agreed to.
/// @error 403 naming what is missing; nothing may be generated then.
ApiResult<std::optional<Terms>> consent_of(Context& context, const Call& call,
                                           const Fields& fields);

/// One request shares one answer: its id stands in the reply's head. `prompts` as texts or tokens.
/// @error 400 naming `n` or `prompt`: more than one, or tokens, which nobody could read.
ApiResult<> check_one_answer(std::uint32_t n, std::span<const TextInput> prompts = {});

/// @error 403  the owner's standing consent does not cover `terms`.
ApiResult<> check_standing(commons::Sharing& sharing, const Terms& terms);

/// @error 403  `terms` let others train with the answer, and the model's licence does not say that
///        they may. `licence`: as the catalogue has it; may be empty.
ApiResult<> check_model_licence(std::string_view model, std::string_view licence,
                                const Terms& terms);

}  // namespace loam::api
