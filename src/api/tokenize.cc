// POST /tokenize, POST /detokenize, GET /tokenizer_info
#include "api/generation_fields.h"
#include "api/text_input.h"
#include "api/with_model.h"
#include "base/utf8.h"

namespace loam::api {
namespace {

codec::Value text_or_null(const std::string& text) {
  return text.empty() ? codec::Value() : codec::Value(text);
}

ApiResult<> answer_tokenize(const Call& call, const pool::Lease& lease, const std::string& text,
                            bool add_special_tokens) {
  engine::Engine& engine = lease.engine();
  const auto tokens =
      LOAM_TRY(engine.tokenize(text, engine::SpecialTokens::kParse, add_special_tokens));
  codec::Array list(tokens.begin(), tokens.end());
  call.respond_json(200, codec::Object{{"model", lease.model().name},
                                       {"tokens", std::move(list)},
                                       {"count", static_cast<std::uint64_t>(tokens.size())},
                                       {"max_model_len", engine.info().context}});
  return {};
}

ApiResult<> tokenize(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  auto text = LOAM_TRY(fields.text("prompt", SIZE_MAX));
  if (!text) text = LOAM_TRY(fields.text("content", SIZE_MAX));
  if (!text) return refuse(bad_field("prompt", "is missing; it must be a string"));
  const bool special = LOAM_TRY(fields.boolean("add_special_tokens")).value_or(true);
  const auto named = LOAM_TRY(fields.text("model", kModelNameBytesMax));
  const std::string model = LOAM_TRY(chosen_model(context, named));
  with_model(context, call, model, {}, [call, text = *text, special](const pool::Lease& lease) {
    return answer_tokenize(call, lease, text, special);
  });
  return {};
}

ApiResult<> answer_detokenize(const Call& call, const pool::Lease& lease,
                              const std::vector<engine::TokenId>& tokens) {
  LOAM_TRY(check_tokens(tokens, lease.engine().info(), "tokens"));
  const std::string bytes = LOAM_TRY(lease.engine().detokenize(tokens));
  call.respond_json(
      200, codec::Object{{"model", lease.model().name}, {"prompt", replace_invalid_utf8(bytes)}});
  return {};
}

ApiResult<> detokenize(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const codec::Value* value = fields.raw("tokens");
  if (value == nullptr || value->as_array() == nullptr)
    return refuse(bad_field("tokens", "must be an array of token ids"));
  auto tokens = LOAM_TRY(read_tokens(*value->as_array(), "tokens"));
  const auto named = LOAM_TRY(fields.text("model", kModelNameBytesMax));
  const std::string model = LOAM_TRY(chosen_model(context, named));
  with_model(context, call, model, {}, [call, tokens](const pool::Lease& lease) {
    return answer_detokenize(call, lease, tokens);
  });
  return {};
}

ApiResult<> tokenizer_info(Context& context, const Call& call) {
  const auto named = call.request().query_param("model");
  const std::string model = LOAM_TRY(chosen_model(context, named));
  with_model(context, call, model, {}, [call](const pool::Lease& lease) -> ApiResult<> {
    const engine::ModelInfo& info = lease.engine().info();
    call.respond_json(200, codec::Object{{"model", lease.model().name},
                                         {"bos_token", text_or_null(info.bos)},
                                         {"eos_token", text_or_null(info.eos)},
                                         {"pad_token", text_or_null(info.pad)},
                                         {"chat_template", text_or_null(info.chat_template)}});
    return {};
  });
  return {};
}

}  // namespace

void add_tokenize_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/tokenize", Need::kInfer,
             [&context](const Call& call) { return tokenize(context, call); });
  routes.add(http::Method::kPost, "/detokenize", Need::kInfer,
             [&context](const Call& call) { return detokenize(context, call); });
  routes.add(http::Method::kGet, "/tokenizer_info", Need::kInfer,
             [&context](const Call& call) { return tokenizer_info(context, call); });
}

}  // namespace loam::api
