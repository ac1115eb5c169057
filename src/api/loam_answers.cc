// GET and DELETE /loam/v1/answers, GET /loam/v1/answers/{id}
#include <algorithm>
#include <tuple>

#include "api/answer_values.h"
#include "api/context.h"
#include "api/reply_format.h"
#include "api/request_fields.h"
#include "api/times.h"
#include "base/format.h"
#include "codec/json.h"

namespace loam::api {
namespace {

constexpr std::int64_t kListMax = 1000;
constexpr std::int64_t kListDefault = 100;

codec::Object summary(const pool::Answer& answer) {
  return codec::Object{{"id", answer.reply_id},
                       {"choice", answer.choice},
                       {"model", answer.model_name},
                       {"made_at", rfc3339(answer.made_ms)},
                       {"finish_reason", finish_value(answer.finish)},
                       {"text", answer.text}};
}

codec::Value whole(const pool::Answer& answer) {
  codec::Value out = summary(answer);
  out.set("model_sha256", crypto::digest_hex(answer.model_sha256));
  if (answer.adapter_sha256) out.set("adapter_sha256", crypto::digest_hex(*answer.adapter_sha256));
  out.set("engine_build", answer.engine_build);
  out.set("cpu_class", answer.cpu_class);
  const auto prompt = codec::parse_json(answer.prompt_json);
  out.set("prompt", prompt ? *prompt : codec::Value(answer.prompt_json));
  if (!answer.template_system.empty()) out.set("template_system", answer.template_system);
  out.set("prompt_tokens", numbers(answer.prompt_tokens));
  out.set("output_tokens", numbers(answer.output_tokens));
  out.set("lp16", numbers(answer.lp16));
  out.set("seed", codec::Object{{"mode", seed_mode_name(answer.seed_mode)},
                                {"entropy", crypto::digest_hex(answer.seed_entropy)}});
  out.set("sampling", sampling_value(answer.sampling));
  return out;
}

ApiResult<> list(Context& context, const Call& call) {
  const auto limit = LOAM_TRY(query_number(call.request(), "limit", 1, kListMax, kListDefault));
  const auto answers_max = static_cast<std::size_t>(limit);
  context.services.answers.flush();
  std::vector<pool::Answer> all;
  for (const std::string& caller : call.own_callers()) {
    auto some = LOAM_TRY(context.services.answers.list(caller, answers_max));
    std::ranges::move(some, std::back_inserter(all));
  }
  std::ranges::sort(all, [](const pool::Answer& a, const pool::Answer& b) {
    return std::tie(b.made_ms, a.reply_id, a.choice) < std::tie(a.made_ms, b.reply_id, b.choice);
  });
  if (all.size() > answers_max) all.resize(answers_max);
  codec::Array list;
  for (const pool::Answer& answer : all) list.emplace_back(summary(answer));
  call.respond_json(200, codec::Object{{"answers", std::move(list)}});
  return {};
}

ApiResult<> show(Context& context, const Call& call) {
  const std::string& id = call.request().params.at(0);
  const auto choice = static_cast<std::uint32_t>(
      LOAM_TRY(query_number(call.request(), "choice", 0, UINT32_MAX, 0)));
  context.services.answers.flush();
  for (const std::string& caller : call.own_callers()) {
    const auto answer = context.services.answers.find(caller, id, choice);
    if (answer) {
      call.respond_json(200, whole(*answer));
      return {};
    }
    if (answer.error().code != ErrorCode::kNotFound) return refuse(answer.error());
  }
  return refuse(
      Error{ErrorCode::kNotFound,
            format("answer {}, choice {}: none of yours, or no longer kept", id, choice)});
}

ApiResult<> forget(Context& context, const Call& call) {
  context.services.answers.flush();
  std::uint64_t deleted = 0;
  for (const std::string& caller : call.own_callers())
    deleted += LOAM_TRY(context.services.answers.forget_all(caller));
  call.respond_json(200, codec::Object{{"deleted", deleted}});
  return {};
}

}  // namespace

void add_loam_answer_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kGet, "/loam/v1/answers", Need::kIdentity,
             [&context](const Call& call) { return list(context, call); });
  routes.add(http::Method::kDelete, "/loam/v1/answers", Need::kIdentity,
             [&context](const Call& call) { return forget(context, call); });
  routes.add(http::Method::kGet, "/loam/v1/answers/{id}", Need::kIdentity,
             [&context](const Call& call) { return show(context, call); });
}

}  // namespace loam::api
