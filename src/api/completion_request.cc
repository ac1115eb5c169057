#include "api/completion_request.h"

namespace loam::api {

ApiResult<CompletionRequest> parse_completion_request(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  CompletionRequest out;
  out.generation = LOAM_TRY(read_generation_fields(fields));
  out.generation.tokens_max = static_cast<std::uint32_t>(
      LOAM_TRY(fields.integer("max_tokens", 0, UINT32_MAX)).value_or(kCompletionTokensDefault));
  if (const auto top = LOAM_TRY(fields.integer("logprobs", 0, kTopLogprobsMax)))
    out.generation.top_logprobs = static_cast<std::uint32_t>(*top);
  const auto best_of = LOAM_TRY(fields.integer("best_of", 1, kChoicesMax));
  if (best_of && *best_of != out.generation.n)
    return refuse(unsupported_field("best_of", "only the value of n is offered by this version"));
  out.echo = LOAM_TRY(fields.boolean("echo")).value_or(false);
  out.prompts = LOAM_TRY(read_inputs(fields, "prompt", kPromptsMax));
  return out;
}

}  // namespace loam::api
