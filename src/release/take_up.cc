#include "release/take_up.h"

#include "release/taken.h"

namespace loam::release {
namespace {

/// Ends the trial of another publication under the name.
/// @return the votes on what answers there now.
Votes end_trial(ChannelBook::Content& content, const TakeUpOrder& order) {
  const auto found = content.rollouts.find(order.name);
  if (found == content.rollouts.end()) return {};
  const Rollout& rollout = found->second;
  if (!is_on_trial(rollout)) return rollout.votes;
  if (rollout.publication != order.publication)
    content.decisions[rollout.publication] = {Decision::State::kRolledBack, order.name,
                                              "another was taken in its place", order.now_ms};
  return rollout.before;
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
  const Votes there_before = end_trial(content, order);
  (answers ? rollout.votes : rollout.before) = there_before;
  TakenUp out;
  out.replaced = there && !answers;
  out.on_trial = out.replaced && order.on_trial;
  if (out.on_trial) {
    static_cast<void>(LOAM_TRY(find_taken(catalog, next)));
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
  const bool goes_on = answers && known != content.rollouts.end() && !is_on_trial(known->second) &&
                       known->second.publication == order.publication;
  if (!goes_on) content.rollouts[order.name] = rollout;
  content.decisions[order.publication] = {Decision::State::kTaken, order.name, order.why,
                                          order.now_ms};
  LOAM_TRY(edit.save());
  if (!out.on_trial) LOAM_TRY(remove_taken(catalog, next));
  return out;
}

}  // namespace loam::release
