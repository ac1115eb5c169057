// POST /v1/completions
#include "api/completion_format.h"
#include "api/completion_request.h"
#include "api/consent.h"
#include "api/generation.h"
#include "api/with_model.h"
#include "base/utf8.h"

namespace loam::api {
namespace {

ApiResult<Prompt> prompt_of(engine::Engine& engine, const TextInput& input, bool echo) {
  Prompt out;
  out.tokens = LOAM_TRY(tokens_of(engine, input, engine::SpecialTokens::kParse));
  out.asked_json = input_json(input);
  if (!echo) return out;
  if (const auto* text = std::get_if<std::string>(&input))
    out.echo = *text;
  else
    out.echo = replace_invalid_utf8(LOAM_TRY(engine.detokenize(out.tokens)));
  return out;
}

ApiResult<> answer(Context& context, const Call& call, const pool::Lease& lease,
                   CompletionRequest request, const std::optional<Terms>& share) {
  GenerationRequest generation;
  generation.prompt_field = "prompt";
  generation.share = share;
  for (const TextInput& input : request.prompts) {
    // Checked before the engine turns them into text.
    if (const auto* tokens = std::get_if<std::vector<engine::TokenId>>(&input))
      LOAM_TRY(check_tokens(*tokens, lease.engine().info(), "prompt"));
    generation.prompts.push_back(LOAM_TRY(prompt_of(lease.engine(), input, request.echo)));
  }
  generation.format =
      std::make_unique<CompletionFormat>(request.generation.top_logprobs.has_value(), request.echo);
  generation.fields = std::move(request.generation);
  return start_generation(context, call, lease, std::move(generation));
}

ApiResult<> complete(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::optional<Terms> share = LOAM_TRY(consent_of(context, call, fields));
  CompletionRequest request = LOAM_TRY(parse_completion_request(body));
  if (share) LOAM_TRY(check_one_answer(request.generation.n, request.prompts));
  with_answering_model(context, call, request.generation.model, request.generation.keep_alive_s,
                       [&context, call, request, share](const pool::Lease& lease) {
                         return answer(context, call, lease, request, share);
                       });
  return {};
}

}  // namespace

void add_completion_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/v1/completions", Need::kInfer,
             [&context](const Call& call) { return complete(context, call); });
}

}  // namespace loam::api
