#include "release/take_up.h"

#include "release/taken.h"

namespace loam::release {
namespace {

/// Ends the trial of another publication under the name; `there` answers. In the book at once: a
/// trial that stands there is of what waits behind NAME:next, which is replaced after this.
/// @return whether there was one.
Result<bool> end_trial(ChannelBook::Edit& edit, const TakeUpOrder& order,
                       const std::optional<catalog::Model>& there) {
  auto& rollouts = edit.content.rollouts;
  const auto found = rollouts.find(order.name);
  if (found == rollouts.end() || !is_on_trial(found->second) ||
      found->second.publication == order.publication)
    return false;
  const Rollout trial = found->second;
  edit.content.decisions[trial.publication] = {Decision::State::kRolledBack, order.name,
                                               "another was taken in its place", order.now_ms};
  rollouts.erase(found);
  if (there) rollouts[order.name] = before_trial(trial, *publication_of(*there));
  LOAM_TRY(edit.save());
  return true;
}

/// The votes on what answers under the name now.
Votes votes_there(const ChannelBook::Content& content, const std::string& name) {
  const auto found = content.rollouts.find(name);
  if (found == content.rollouts.end()) return {};
  return is_on_trial(found->second) ? found->second.before : found->second.votes;
}

/// What waits behind `name`, or no digest.
crypto::Digest adapter_of(catalog::Catalog& catalog, const std::string& name) {
  const auto model = catalog.find(name);
  return model && model->adapter ? model->adapter->sha256 : crypto::Digest{};
}

}  // namespace

Result<TakenUp> take_up(catalog::Catalog& catalog, const ChannelBook& book,
                        const TakeUpOrder& order) {
  auto edit = LOAM_TRY(book.edit());
  ChannelBook::Content& content = edit.content;
  const catalog::Model candidate = LOAM_TRY(catalog.find(order.candidate));
  const auto there = LOAM_TRY(find_taken(catalog, order.name));
  // It is not its own predecessor, when it is taken twice or was cut short before the book.
  const bool answers = there && has_adapter(*there, candidate.adapter->sha256);
  const std::string next = next_name(order.name);
  Rollout rollout;
  rollout.publication = order.publication;
  rollout.adapter = candidate.adapter->sha256;
  TakenUp out;
  out.replaced = there && !answers;
  out.on_trial = out.replaced && order.on_trial;
  if (out.on_trial) static_cast<void>(LOAM_TRY(find_taken(catalog, next)));
  const bool ended = LOAM_TRY(end_trial(edit, order, there));
  (answers ? rollout.votes : rollout.before) = votes_there(content, order.name);
  if (out.on_trial) {
    out.model = LOAM_TRY(catalog.copy(candidate.name, next));
  } else if (answers) {
    out.model = LOAM_TRY(catalog.copy(candidate.name, order.name));
  } else {
    out.model = LOAM_TRY(settle(catalog, candidate.name, order.name));
  }
  rollout.stage = out.on_trial ? Stage::kShadow : Stage::kAll;
  if (there)
    rollout.adapter_before =
        answers ? adapter_of(catalog, previous_name(order.name)) : there->adapter->sha256;
  const auto known = content.rollouts.find(order.name);
  const bool goes_on = answers && !ended && known != content.rollouts.end() &&
                       !is_on_trial(known->second) &&
                       known->second.publication == order.publication;
  if (!goes_on) content.rollouts[order.name] = rollout;
  content.decisions[order.publication] = {Decision::State::kTaken, order.name, order.why,
                                          order.now_ms};
  LOAM_TRY(edit.save());
  if (!out.on_trial) LOAM_TRY(remove_taken(catalog, next));
  return out;
}

}  // namespace loam::release
