#include "release/rollouts.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "release/taken.h"

namespace loam::release {
namespace {

constexpr std::int64_t kLookMs = 1000;
constexpr std::int64_t kWarnMs = 60'000;  // chosen; each prompt may bring the same trouble
constexpr std::size_t kVotedMax = 4096;   // answers whose first vote is remembered

std::string reason_of(const Rollout& rollout) {
  if (rollout.faults > rollout.answers) return "it could not be loaded";
  if (rollout.stage == Stage::kShadow && rollout.faults > kShadowFaultsMax)
    return format("{} of {} answers that nobody saw were empty, failed or repeated themselves",
                  rollout.faults, rollout.answers);
  std::string why =
      format("people like it less: {} of {} votes were down, {} of {} on the one before",
             rollout.votes.down, rollout.votes.all(), rollout.before.down, rollout.before.all());
  if (rollout.stage == Stage::kShare && rollout.faults > 0)
    why += format("; {} of them are answers that failed, of {}", rollout.faults, rollout.answers);
  return why;
}

/// give_up() in a book that is held; the caller saves it.
Result<std::optional<catalog::Model>> give_up_in(catalog::Catalog& catalog,
                                                 ChannelBook::Content& content,
                                                 const std::string& name, const std::string& why,
                                                 std::int64_t now_ms) {
  const auto model = LOAM_TRY(catalog.find(name));
  auto publication = publication_of(model);
  if (!publication)
    return fail(ErrorCode::kInvalidArgument,
                format("rollback {}: it was not taken from a channel", model.name),
                format("loam rm {} removes it", model.name));
  std::optional<catalog::Model> back = model;
  std::optional<Rollout> goes_on;
  const auto found = content.rollouts.find(model.name);
  if (found != content.rollouts.end() && is_on_trial(found->second)) {
    goes_on = before_trial(found->second, *publication);
    publication = found->second.publication;
    LOAM_TRY(remove_taken(catalog, next_name(model.name)));
  } else if (found == content.rollouts.end() || has_adapter(model, found->second.adapter)) {
    // Else this was cut short after the next line: the one before answers already.
    back = LOAM_TRY(unsettle(catalog, model.name));
  }
  content.decisions[*publication] = {Decision::State::kRolledBack, model.name, why, now_ms};
  content.rollouts.erase(model.name);
  if (goes_on) content.rollouts[model.name] = *goes_on;
  return back;
}

}  // namespace

Result<std::optional<catalog::Model>> give_up(catalog::Catalog& catalog, const ChannelBook& book,
                                              const std::string& name, const std::string& why,
                                              std::int64_t now_ms) {
  auto edit = LOAM_TRY(book.edit());
  auto back = LOAM_TRY(give_up_in(catalog, edit.content, name, why, now_ms));
  LOAM_TRY(edit.save());
  return back;
}

Rollouts::Rollouts(ChannelBook book, catalog::Catalog& catalog, env::Clock& clock)
    : book_(std::move(book)), catalog_(catalog), clock_(clock) {}

void Rollouts::look(Seen& seen, bool at_once) {
  const std::int64_t now = clock_.steady_ms();
  if (!at_once && seen.looked_ms && now - *seen.looked_ms < kLookMs) return;
  seen.looked_ms = now;
  const auto stamp = env::stamp(book_.path());
  if (stamp && seen.stamp && *stamp == *seen.stamp) return;
  const auto content = book_.read();
  if (!content) return log::warning("channels", "{}", content.error().message);
  seen.stamp = stamp ? std::optional(*stamp) : std::nullopt;
  seen.rollouts = content->rollouts;
}

std::string Rollouts::answering(const std::string& model) {
  return seen_.with([&](Seen& seen) {
    look(seen, false);
    const auto found = seen.rollouts.find(model);
    if (found == seen.rollouts.end() || found->second.stage != Stage::kShare) return model;
    return ++seen.asked[model] % kShareOneOf == 0 ? next_name(model) : model;
  });
}

std::optional<std::string> Rollouts::unheard(const std::string& model) {
  return seen_.with([&](const Seen& seen) -> std::optional<std::string> {
    const auto found = seen.rollouts.find(model);
    if (found == seen.rollouts.end() || found->second.stage != Stage::kShadow) return std::nullopt;
    return next_name(model);
  });
}

std::optional<Rollouts::Counted> Rollouts::tried_as(const std::string& model) {
  return seen_.with([&](const Seen& seen) -> std::optional<Counted> {
    for (const auto& [name, rollout] : seen.rollouts)
      if (is_on_trial(rollout) && next_name(name) == model)
        return Counted{name, rollout.publication};
    return std::nullopt;
  });
}

void Rollouts::answered(const std::string& model, bool faulty) {
  if (const auto tried = tried_as(model))
    count_later(*tried, [faulty](Rollout& rollout) { return count_answer(rollout, faulty); });
}

void Rollouts::cannot_answer(const std::string& model, const Error& why) {
  const auto tried = tried_as(model);
  if (!tried) return;
  if (!is_its_own_fault(why.code)) {
    const bool is_due = seen_.with([&](Seen& seen) {
      const std::int64_t now = clock_.steady_ms();
      if (seen.warned_ms && now - *seen.warned_ms < kWarnMs) return false;
      seen.warned_ms = now;
      return true;
    });
    if (is_due) log::warning("channels", "{} is to be tried, but: {}", model, why.message);
    return;
  }
  count_later(*tried, [](Rollout& rollout) {
    if (!is_on_trial(rollout)) return Step::kStay;
    rollout.faults = rollout.answers + kShadowFaultsMax + 1;
    return Step::kRollBack;
  });
}

std::vector<std::pair<Rollouts::Counted, bool>> Rollouts::concerned(const std::string& answer,
                                                                    const crypto::Digest& adapter,
                                                                    const Counts& counts) {
  return seen_.with([&](Seen& seen) {
    std::vector<std::pair<Counted, bool>> out;
    for (const auto& [name, rollout] : seen.rollouts)
      if (counts(rollout) && (rollout.adapter == adapter || rollout.adapter_before == adapter))
        out.emplace_back(Counted{name, rollout.publication}, rollout.adapter == adapter);
    if (out.empty() || std::ranges::find(seen.voted, answer) != seen.voted.end())
      return decltype(out)();
    seen.voted.push_back(answer);
    if (seen.voted.size() > kVotedMax) seen.voted.pop_front();
    return out;
  });
}

void Rollouts::voted(const std::string& answer, const crypto::Digest& adapter, bool is_down) {
  seen_.with([&](Seen& seen) { look(seen, false); });
  for (const auto& [what, is_on_new] :
       concerned(answer, adapter, [](const Rollout&) { return true; }))
    count_later(what, [on_new = is_on_new, is_down](Rollout& rollout) {
      return count_vote(rollout, on_new, is_down);
    });
}

void Rollouts::failed(const std::string& answer, const crypto::Digest& adapter, ErrorCode why) {
  if (!is_failed_answer(why)) return;
  // Of what is on trial alone, as count_failure() has it: no book is written for nothing.
  for (const auto& [what, is_on_new] : concerned(answer, adapter, is_on_trial))
    count_later(what,
                [on_new = is_on_new](Rollout& rollout) { return count_failure(rollout, on_new); });
}

void Rollouts::flush() {
  const auto done = std::make_shared<std::promise<void>>();
  if (counting_.try_run([done] { done->set_value(); })) done->get_future().wait();
}

void Rollouts::count_later(const Counted& what, Counting counting) {
  if (!counting_.try_run([this, what, counting = std::move(counting)] { count(what, counting); }))
    log::warning("channels", "{}: more votes and answers come than can be counted", what.name);
}

void Rollouts::count(const Counted& what, const Counting& counting) {
  if (const auto done = count_and_step(what, counting); !done)
    log::warning("channels", "{}: {}", what.name, done.error().message);
  seen_.with([&](Seen& seen) { look(seen, true); });
}

Result<> Rollouts::count_and_step(const Counted& what, const Counting& counting) {
  auto edit = LOAM_TRY(book_.edit());
  const auto found = edit.content.rollouts.find(what.name);
  if (found == edit.content.rollouts.end() || found->second.publication != what.publication)
    return {};
  const Step step = counting(found->second);
  if (step == Step::kStay) return edit.save();
  // Of one that is rolled back take() says why.
  if (step != Step::kRollBack)
    log::info("channels", "{}: {}", what.name, rollout_text(found->second));
  return take(what.name, edit, step);
}

Result<> Rollouts::take(const std::string& name, ChannelBook::Edit& edit, Step step) {
  Rollout& rollout = edit.content.rollouts.at(name);
  switch (step) {
    case Step::kStay: return edit.save();
    case Step::kShare: rollout = in_stage(rollout, Stage::kShare); return edit.save();
    case Step::kAll: {
      const auto there = LOAM_TRY(find_taken(catalog_, name));
      // Cut short after the next line, it must not take the new one for the one before.
      if (!there || !has_adapter(*there, rollout.adapter))
        static_cast<void>(LOAM_TRY(settle(catalog_, next_name(name), name)));
      rollout = in_stage(rollout, Stage::kAll);
      LOAM_TRY(edit.save());
      return remove_taken(catalog_, next_name(name));
    }
    case Step::kRollBack: {
      const std::string why = reason_of(rollout);
      static_cast<void>(LOAM_TRY(give_up_in(catalog_, edit.content, name, why, clock_.wall_ms())));
      LOAM_TRY(edit.save());
      log::warning("channels", "{} was rolled back: {}", name, why);
      return {};
    }
  }
  std::unreachable();
}

}  // namespace loam::release
