#include "api/context_fit.h"

#include "api/text_input.h"
#include "base/format.h"

namespace loam::api {
namespace {

ApiError too_long(std::string message, std::string param) {
  ApiError error = bad_field(std::move(param), message);
  error.code = "context_length_exceeded";
  error.message = std::move(message);
  return error;
}

}  // namespace

ApiResult<> check_fits(const GenerationRequest& request, const engine::ModelInfo& model) {
  const GenerationFields& fields = request.fields;
  if (fields.n > model.sequences_max)
    return refuse(bad_field("n", format("this node generates at most {} choices at the same time",
                                        model.sequences_max)));
  for (const auto& [token, bias] : fields.sampling.logit_bias)
    LOAM_TRY(check_tokens({token}, model, "logit_bias"));
  for (std::size_t i = 0; i < request.prompts.size(); ++i) {
    const std::size_t prompt = request.prompts[i].tokens.size();
    const std::string name = request.prompts.size() == 1
                                 ? request.prompt_field
                                 : format("{}[{}]", request.prompt_field, i);
    if (prompt == 0) return refuse(bad_field(name, "has no token to begin with"));
    LOAM_TRY(check_tokens(request.prompts[i].tokens, model, name));
    const std::uint64_t least = fields.tokens_max ? 0 : 1;
    if (prompt + least > model.context)
      return refuse(too_long(
          format("this model's context holds {} tokens, and {} alone has {}; shorten it or raise "
                 "load.context",
                 model.context, name, prompt),
          name));
    if (fields.tokens_max && prompt + *fields.tokens_max > model.context)
      return refuse(too_long(
          format("this model's context holds {} tokens, and {} were asked for: {} in {} and {} in "
                 "{}",
                 model.context, prompt + std::uint64_t{*fields.tokens_max}, prompt, name,
                 *fields.tokens_max, fields.tokens_max_name),
          fields.tokens_max_name));
  }
  return {};
}

}  // namespace loam::api
