// POST /v1/embeddings
#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>

#include "api/consent.h"
#include "api/embedding_request.h"
#include "api/with_model.h"
#include "base/bytes.h"
#include "base/format.h"

namespace loam::api {
namespace {

constexpr std::size_t kInputsPerStep = 16;  // between two looks at whether the client is there

/// Little-endian 32-bit floats, as the SDKs read them.
std::string base64_floats(const std::vector<float>& vector) {
  Bytes bytes;
  bytes.reserve(vector.size() * sizeof(float));
  for (const float value : vector) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return to_base64(bytes);
}

codec::Value vector_value(const std::vector<float>& vector, bool base64) {
  if (base64) return base64_floats(vector);
  codec::Array out;
  out.reserve(vector.size());
  for (const float value : vector) out.emplace_back(static_cast<double>(value));
  return out;
}

ApiError too_long(const std::string& name, std::size_t tokens, std::uint32_t context) {
  ApiError error = bad_field(name, "");
  error.code = "context_length_exceeded";
  error.message =
      format("this model's context holds {} tokens, and {} has {}", context, name, tokens);
  return error;
}

ApiResult<std::vector<std::vector<engine::TokenId>>> tokens_of_all(const EmbeddingRequest& request,
                                                                   engine::Engine& engine) {
  const engine::ModelInfo& info = engine.info();
  std::vector<std::vector<engine::TokenId>> out;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    const std::string name =
        request.inputs.size() == 1 ? std::string("input") : format("input[{}]", i);
    out.push_back(
        LOAM_TRY(tokens_of(engine, request.inputs[i], engine::SpecialTokens::kPlainText)));
    LOAM_TRY(check_tokens(out.back(), info, name));
    if (out.back().empty()) return refuse(bad_field(name, "has no tokens"));
    if (out.back().size() > info.context)
      return refuse(too_long(name, out.back().size(), info.context));
  }
  return out;
}

/// The reply, or nothing if nobody waits for it any more.
ApiResult<std::optional<codec::Value>> embed_all(const EmbeddingRequest& request,
                                                 const pool::Lease& lease,
                                                 const std::function<bool()>& is_over,
                                                 std::uint64_t& tokens) {
  engine::Engine& engine = lease.engine();
  const std::uint32_t width = engine.info().embedding_width;
  if (request.dimensions && *request.dimensions != width)
    return refuse(unsupported_field(
        "dimensions", format("this model's embeddings have {} dimensions, no others", width)));
  const auto inputs = LOAM_TRY(tokens_of_all(request, engine));
  codec::Array data;
  for (std::size_t begin = 0; begin < inputs.size(); begin += kInputsPerStep) {
    if (is_over()) return std::optional<codec::Value>();
    const auto from = inputs.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto to = inputs.begin() +
                    static_cast<std::ptrdiff_t>(std::min(inputs.size(), begin + kInputsPerStep));
    for (const engine::Embedding& one : LOAM_TRY(engine.embed({from, to}))) {
      tokens += one.tokens;
      data.emplace_back(codec::Object{{"object", "embedding"},
                                      {"index", static_cast<std::uint64_t>(data.size())},
                                      {"embedding", vector_value(one.vector, request.base64)}});
    }
  }
  return std::optional<codec::Value>(
      codec::Object{{"object", "list"},
                    {"model", lease.model().name},
                    {"data", std::move(data)},
                    {"usage", codec::Object{{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
}

void answer(Context& context, const Call& call, const pool::Lease& lease,
            const EmbeddingRequest& request) {
  // Shared with the exchange, which may tell of the client's leaving at any time.
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  call.exchange->on_disconnect([gone] { *gone = true; });
  std::uint64_t tokens = 0;
  const auto reply = embed_all(request, lease, [&] { return *gone || context.ending; }, tokens);
  if (!reply) return call.exchange->respond(error_response(reply.error()));
  const std::string& model = lease.model().name;
  context.metrics->add(Metric::kPromptTokens, {{"model", model}}, static_cast<double>(tokens));
  context.metrics->observe(
      Metric::kGenAiDuration,
      {{"gen_ai_operation_name", "embeddings"}, {"gen_ai_response_model", model}},
      static_cast<double>(context.services.clock.steady_ms() - call.started_ms) / 1000);
  if (*reply) call.respond_json(200, **reply);
}

ApiResult<> embed(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  if (LOAM_TRY(read_consent(call.request(), fields)))
    return refuse(bad_field("commons", "an embedding is no answer: there is nothing to share"));
  const EmbeddingRequest request = LOAM_TRY(parse_embedding_request(body));
  with_model(context, call, request.model, request.keep_alive_s,
             [&context, call, request](const pool::Lease& lease) -> ApiResult<> {
               // Many inputs take long: not on a handler's thread.
               if (context.embeddings.try_run(
                       [&context, call, lease, request] { answer(context, call, lease, request); }))
                 return {};
               return refuse(error_of_status(429, "too many embedding requests wait; try later"));
             });
  return {};
}

}  // namespace

void add_embedding_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/v1/embeddings", Need::kInfer,
             [&context](const Call& call) { return embed(context, call); });
}

}  // namespace loam::api
