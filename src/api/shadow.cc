#include "api/shadow.h"

#include <algorithm>
#include <utility>

#include "dataset/repetition.h"
#include "engine/whole_answer.h"
#include "release/rollout.h"

namespace loam::api {
namespace {

constexpr std::uint32_t kTokensMax = 256;  // enough to see it repeat itself

bool is_faulty(const engine::WholeAnswer& answer, const std::string& shown) {
  if (answer.text.find_first_not_of(" \n\t") == std::string::npos) return !shown.empty();
  return dataset::repetition_of(answer.text) && !dataset::repetition_of(shown);
}

}  // namespace

void answer_unheard(Context& context, const std::string& next, engine::GenerateRequest request,
                    const std::string& shown) {
  request.tokens_max = std::min(request.tokens_max, kTokensMax);
  request.top_logprobs = 0;
  // Full: another prompt is being answered so, and this one is left out.
  static_cast<void>(
      context.shadows.try_run([&context, next, request = std::move(request), shown]() mutable {
        const auto is_over = [&context] { return context.stopping.load(); };
        if (is_over()) return;
        const auto lease = context.services.residency.acquire(next);
        if (is_over()) return;  // which may be why there is none
        if (!lease) return context.services.rollouts.cannot_answer(next, lease.error());
        const auto answer = engine::run_to_end(lease->engine(), std::move(request), is_over);
        if (is_over()) return;
        // As if it had not been asked: its queue was full.
        if (!answer && !release::is_failed_answer(answer.error().code)) return;
        context.services.rollouts.answered(next, !answer || is_faulty(*answer, shown));
      }));
}

}  // namespace loam::api
