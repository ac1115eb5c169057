// POST /v1/chat/completions
#include "api/chat_format.h"
#include "api/chat_request.h"
#include "api/consent.h"
#include "api/generation.h"
#include "api/with_model.h"

namespace loam::api {
namespace {

ApiResult<> answer(Context& context, const Call& call, const pool::Lease& lease,
                   ChatRequest request, const std::optional<Terms>& share) {
  auto rendered = lease.engine().render(request.messages, true);
  if (!rendered) {
    ApiError error(rendered.error());
    if (error.status == 400) error.param = "messages";
    return refuse(std::move(error));
  }
  GenerationRequest generation;
  generation.format = std::make_unique<ChatFormat>(request.generation.top_logprobs.has_value(),
                                                   request.generation.include_usage);
  generation.prompt_field = "messages";
  generation.share = share;
  generation.fields = std::move(request.generation);
  std::string added = context.template_system.find(lease.engine(), lease.model().sha256,
                                                   request.messages, rendered->text);
  generation.prompts.push_back(Prompt{std::move(rendered->tokens), std::move(rendered->stop),
                                      std::nullopt, std::move(request.messages_json),
                                      std::move(added)});
  return start_generation(context, call, lease, std::move(generation));
}

ApiResult<> chat(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const std::optional<Terms> share = LOAM_TRY(consent_of(context, call, fields));
  ChatRequest request = LOAM_TRY(parse_chat_request(body));
  if (share) LOAM_TRY(check_one_answer(request.generation.n));
  with_answering_model(context, call, request.generation.model, request.generation.keep_alive_s,
                       [&context, call, request, share](const pool::Lease& lease) {
                         return answer(context, call, lease, request, share);
                       });
  return {};
}

}  // namespace

void add_chat_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/v1/chat/completions", Need::kInfer,
             [&context](const Call& call) { return chat(context, call); });
}

}  // namespace loam::api
