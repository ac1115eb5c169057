// GET and DELETE /loam/v1/answers, GET /loam/v1/answers/{id}, POST /loam/v1/answers/{id}/rate
#include <algorithm>
#include <tuple>

#include "api/answer_values.h"
#include "api/context.h"
#include "api/ledger_values.h"
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

ApiResult<pool::Answer> find_own(Context& context, const Call& call, std::int64_t choice) {
  const std::string& id = call.request().params.at(0);
  context.services.answers.flush();
  for (const std::string& caller : call.own_callers()) {
    auto answer = context.services.answers.find(caller, id, static_cast<std::uint32_t>(choice));
    if (answer) return *std::move(answer);
    if (answer.error().code != ErrorCode::kNotFound) return refuse(answer.error());
  }
  return refuse(
      Error{ErrorCode::kNotFound,
            format("answer {}, choice {}: none of yours, or no longer kept", id, choice)});
}

ApiResult<> show(Context& context, const Call& call) {
  const auto choice = LOAM_TRY(query_number(call.request(), "choice", 0, UINT32_MAX, 0));
  call.respond_json(200, whole(LOAM_TRY(find_own(context, call, choice))));
  return {};
}

/// A vote that stays on this node, and tells whether to go on with the adapter that answered.
ApiResult<> rate(Context& context, const Call& call) {
  const codec::Value body = LOAM_TRY(parse_object(call.request().body));
  const Fields fields = LOAM_TRY(Fields::of(body));
  const ledger::Vote vote = LOAM_TRY(read_vote(fields));
  if (vote == ledger::Vote::kNone)
    return refuse(bad_field("vote", "must be \"up\" or \"down\": it cannot be taken back"));
  const auto choice = LOAM_TRY(fields.integer("choice", 0, UINT32_MAX)).value_or(0);
  const pool::Answer answer = LOAM_TRY(find_own(context, call, choice));
  if (answer.adapter_sha256)
    context.services.rollouts.voted(format("{}#{}", answer.reply_id, answer.choice),
                                    *answer.adapter_sha256, vote == ledger::Vote::kDown);
  call.respond_json(
      200, codec::Object{
               {"answer", answer.reply_id}, {"choice", answer.choice}, {"vote", vote_name(vote)}});
  return {};
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
  routes.add(http::Method::kPost, "/loam/v1/answers/{id}/rate", Need::kIdentity,
             [&context](const Call& call) { return rate(context, call); });
}

}  // namespace loam::api
