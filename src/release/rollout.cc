#include "release/rollout.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"

namespace loam::release {
namespace {

constexpr std::array<std::string_view, 3> kStages = {"shadow", "share", "all"};

}  // namespace

std::string_view stage_name(Stage stage) { return kStages.at(std::to_underlying(stage)); }

std::optional<Stage> parse_stage(std::string_view name) {
  const auto found = std::ranges::find(kStages, name);
  if (found == kStages.end()) return std::nullopt;
  return static_cast<Stage>(found - kStages.begin());
}

bool is_its_own_fault(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kInvalidArgument ||
         code == ErrorCode::kNotFound || code == ErrorCode::kUnsupported;
}

bool is_failed_answer(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kInternal ||
         code == ErrorCode::kCorrupt || code == ErrorCode::kUnsupported;
}

Step count_answer(Rollout& rollout, bool faulty) {
  rollout.answers += 1;
  rollout.faults += faulty ? 1 : 0;
  switch (rollout.stage) {
    case Stage::kShadow:
      if (rollout.faults > kShadowFaultsMax) return Step::kRollBack;
      return rollout.answers >= kShadowAnswers ? Step::kShare : Step::kStay;
    case Stage::kShare:
      return rollout.answers >= kShareAnswers && rollout.score <= 0 ? Step::kAll : Step::kStay;
    case Stage::kAll: return Step::kStay;
  }
  std::unreachable();
}

Step count_vote(Rollout& rollout, bool on_new, bool is_down) {
  if (!on_new) {
    rollout.before.add(is_down);
    return Step::kStay;
  }
  rollout.votes.add(is_down);
  rollout.score += vote_weight(usual_rate(rollout.before), is_down);
  if (rollout.stage == Stage::kAll) {
    rollout.score = std::max<std::int64_t>(rollout.score, 0);
    return rollout.score >= kTurnedWorse ? Step::kRollBack : Step::kStay;
  }
  if (rollout.score >= kWorse) return Step::kRollBack;
  return rollout.stage == Stage::kShare && rollout.score <= kNotWorse ? Step::kAll : Step::kStay;
}

Step count_failure(Rollout& rollout, bool on_new) {
  // Later failures would add up over years in which nobody votes.
  if (!is_on_trial(rollout)) return Step::kStay;
  if (on_new) {
    rollout.answers += 1;
    rollout.faults += 1;
  }
  return count_vote(rollout, on_new, true);
}

Rollout in_stage(Rollout rollout, Stage stage) {
  rollout.stage = stage;
  rollout.answers = 0;
  rollout.faults = 0;
  rollout.score = 0;
  return rollout;
}

Rollout before_trial(const Rollout& trial, const ledger::RecordId& publication) {
  Rollout out;
  out.publication = publication;
  out.adapter = trial.adapter_before;
  out.stage = Stage::kAll;
  out.votes = trial.before;
  return out;
}

std::string rollout_text(const Rollout& rollout) {
  return format("{}, {} answers, {} up, {} down{}", stage_name(rollout.stage), rollout.answers,
                rollout.votes.up, rollout.votes.down,
                rollout.faults == 0 ? "" : format(", {} faulty", rollout.faults));
}

}  // namespace loam::release
