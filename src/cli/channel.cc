// channel and rollback: what followed logs publish, taken up here, and given up again.
#include <algorithm>
#include <map>
#include <memory>

#include "base/format.h"
#include "cli/table.h"
#include "cli/taking.h"
#include "cli/verbs.h"
#include "env/process.h"

namespace loam::cli {
namespace {

using release::Adoption;

constexpr std::size_t kTakenAtOnceMax = 3;  // of a log, in one poll: a gate takes minutes; chosen
/// The same with those about which nothing is decided, for what may be there at the next poll.
/// Chosen: most of them end before the gate.
constexpr std::size_t kTriedAtOnceMax = 12;

struct ChannelOptions {
  std::optional<std::string> what, name, log, adoption, why;
  std::optional<std::int64_t> attested;
  std::vector<std::string> attestors;
  bool attest = false;
  bool on_trial = false;
};

/// That of a publication, and the name that it answers under or is to; nullptr if it has none.
const std::pair<const std::string, release::Rollout>* rollout_of(
    const release::ChannelBook::Content& book, const FoundPublication& one) {
  const auto found = std::ranges::find_if(
      book.rollouts, [&](const auto& named) { return named.second.publication == one.id; });
  return found == book.rollouts.end() ? nullptr : &*found;
}

/// How far it is on the way to all prompts, and what people thought of it.
codec::Value rollout_value(const release::ChannelBook::Content& book, const FoundPublication& one) {
  const auto* const named = rollout_of(book, one);
  if (named == nullptr) return {};
  const auto& [name, rollout] = *named;
  return codec::Object{{"model", name},
                       {"stage", stage_name(rollout.stage)},
                       {"answers", rollout.answers},
                       {"votes_up", rollout.votes.up},
                       {"votes_down", rollout.votes.down}};
}

std::string decision_text(const release::ChannelBook::Content& book, const FoundPublication& one) {
  const auto found = book.decisions.find(one.id);
  if (found == book.decisions.end()) return one.withdrawn ? "withdrawn" : "offered";
  const auto* const named = rollout_of(book, one);
  if (named != nullptr && is_on_trial(named->second))
    return std::string(stage_name(named->second.stage));
  return std::string(decision_name(found->second.state));
}

Result<int> list(Invocation& invocation) {
  const Offers offers = LOAM_TRY(read_offers(invocation));
  const auto book = LOAM_TRY(channel_book(invocation));
  const auto content = LOAM_TRY(book.read());
  Console& console = invocation.console;
  std::vector<std::vector<std::string>> rows;
  for (const FoundPublication& one : offers.found) {
    const Channel& channel = *offers.channel_of(one);
    const auto decision = content.decisions.find(one.id);
    const std::string why = decision == content.decisions.end() ? "" : decision->second.why;
    if (invocation.globals.json)
      console.json(codec::Object{{"publication", to_text(one.id)},
                                 {"name", one.payload.name},
                                 {"channel", channel.id},
                                 {"adoption", adoption_name(channel.policy.adoption)},
                                 {"state", decision_text(content, one)},
                                 {"why", why},
                                 {"rollout", rollout_value(content, one)},
                                 {"published_at", time_text(one.time_s * 1000)}});
    else if (invocation.globals.quiet)
      console.line(to_text(one.id));
    rows.push_back({to_text(one.id), one.payload.name, channel.id,
                    std::string(adoption_name(channel.policy.adoption)),
                    decision_text(content, one),
                    relative_time(one.time_s * 1000, invocation.clock.wall_ms())});
  }
  if (invocation.globals.json)
    for (const auto& [channel, why] : offers.unread)
      console.json(codec::Object{{"channel", channel.id}, {"trouble", why}});
  if (invocation.globals.json || invocation.globals.quiet) return 0;
  if (rows.empty())
    console.note("no followed log has published an adapter; loam follow add URL --key VKEY");
  else
    console.out(
        format_table({"PUBLICATION", "NAME", "CHANNEL", "ADOPTION", "STATE", "PUBLISHED"}, rows));
  return 0;
}

Result<int> set(Invocation& invocation, const ChannelOptions& options) {
  const auto channels = LOAM_TRY(read_channels(invocation));
  const Channel channel = LOAM_TRY(find_channel(channels, *options.log));
  release::ChannelPolicy policy = channel.policy;
  if (options.adoption) policy.adoption = LOAM_TRY(release::parse_adoption(*options.adoption));
  if (!options.attestors.empty()) policy.attestors.clear();
  for (const std::string& key : options.attestors)
    policy.attestors.push_back(LOAM_TRY(crypto::parse_digest(key)));
  if (options.attested) {
    if (*options.attested < 0 ||
        static_cast<std::uint64_t>(*options.attested) > policy.attestors.size())
      return fail(
          ErrorCode::kInvalidArgument,
          format("--attested {}: {} keys are listed", *options.attested, policy.attestors.size()),
          "name whom you trust with --attestor KEY, as hexadecimal digits");
    policy.attestations = static_cast<std::uint64_t>(*options.attested);
  }
  const auto book = LOAM_TRY(channel_book(invocation));
  LOAM_TRY(book.set_policy(channel.id, policy));
  if (invocation.globals.json)
    invocation.console.json(codec::Object{{"channel", channel.id},
                                          {"adoption", adoption_name(policy.adoption)},
                                          {"attestations", policy.attestations}});
  else if (!invocation.globals.quiet)
    invocation.console.line(format(
        "{}: {}{}", channel.id, adoption_name(policy.adoption),
        policy.attestations == 0
            ? ", gated here"
            : format(", on {} of {} listed keys", policy.attestations, policy.attestors.size())));
  return 0;
}

void show_taken(const Invocation& invocation, const Taken& taken) {
  Console& console = invocation.console;
  if (invocation.globals.json) {
    console.json(codec::Object{
        {"model", taken.model.name},
        {"publication", taken.adapter_of},
        {"adapter_sha256", crypto::digest_hex(taken.model.adapter->sha256)},
        {"verdict", taken.report ? codec::Value(gate::outcome_name(taken.report->verdict().outcome))
                                 : codec::Value()},
        {"attestations", taken.attestations},
        {"replaced", taken.replaced},
        {"on_trial", taken.on_trial}});
    return;
  }
  if (invocation.globals.quiet) return console.line(taken.model.name);
  if (taken.report)
    for (const gate::RuleResult& rule : taken.report->verdict().rules)
      console.line(format("  {:<11}{}: {}", rule.rule, gate::outcome_name(rule.outcome),
                          printable(rule.says)));
  console.line(
      taken.on_trial
          ? format("{} is tried beside the one before, unheard at first", taken.model.name)
          : format("{} answers now, with the adapter of {}", taken.model.name, taken.adapter_of));
  console.note(format("`loam rollback {}` gives it up", taken.model.name));
}

Result<int> take_one(Invocation& invocation, const ChannelOptions& options) {
  const Offers offers = LOAM_TRY(read_offers(invocation));
  const ledger::RecordId id = LOAM_TRY(offers.published->find(invocation, *options.what));
  for (const FoundPublication& one : offers.found) {
    if (one.id != id) continue;
    show_taken(invocation, LOAM_TRY(take(invocation, offers, one,
                                         {.name = options.name.value_or(""),
                                          .attest = options.attest,
                                          .on_trial = options.on_trial})));
    return 0;
  }
  return fail(ErrorCode::kNotFound, format("take {}: no followed log published it", *options.what),
              "loam channel ls");
}

/// Of one log, in one poll.
struct Tries {
  std::size_t all = 0;
  std::size_t undecided = 0;
  bool may_go_on() const { return all < kTriedAtOnceMax && all - undecided < kTakenAtOnceMax; }
};

/// Whether nothing was decided about it, and nothing else is tried under its name.
bool is_wanted(const release::ChannelBook::Content& book, const FoundPublication& one) {
  if (book.decisions.contains(one.id)) return false;
  const auto rollout = book.rollouts.find(one.payload.name);
  return rollout == book.rollouts.end() || !is_on_trial(rollout->second);
}

/// Takes what channels of `auto` offer and nothing was decided about; of each name the newest.
Result<int> poll(Invocation& invocation, const ChannelOptions& options) {
  env::work_in_background();
  const Offers offers = LOAM_TRY(read_offers(invocation));
  const auto book = LOAM_TRY(channel_book(invocation));
  std::vector<std::pair<std::string, std::string>> seen;  // channel and name
  std::map<std::string, Tries> tried;                     // none crowds another out
  for (const FoundPublication& one : offers.found) {
    const Channel& channel = *offers.channel_of(one);
    const std::pair key(channel.id, one.payload.name);
    if (one.withdrawn || std::ranges::find(seen, key) != seen.end()) continue;
    seen.push_back(key);
    // Read anew each time: what another channel brought before may be on trial now.
    if (channel.policy.adoption != Adoption::kAuto || !is_wanted(LOAM_TRY(book.read()), one))
      continue;
    Tries& tries = tried[channel.id];
    if (!tries.may_go_on()) continue;
    ++tries.all;
    const auto taken = take(invocation, offers, one, {.attest = options.attest, .on_trial = true});
    if (taken) {
      show_taken(invocation, *taken);
      continue;
    }
    if (taken.error().code == ErrorCode::kCancelled) return std::unexpected(taken.error());
    // Else those that cannot be taken for now would keep all others back in every poll.
    if (!LOAM_TRY(book.read()).decisions.contains(one.id)) ++tries.undecided;
    invocation.console.warn(printable(taken.error().message));
  }
  if (tried.empty()) invocation.console.note("nothing new to take");
  return 0;
}

Result<int> give_up(Invocation& invocation, const ChannelOptions& options) {
  const auto done = LOAM_TRY(
      roll_back(invocation, *options.name, options.why.value_or("asked for by the owner")));
  if (invocation.globals.json)
    invocation.console.json(codec::Object{
        {"model", done.name},
        {"adapter_sha256", done.to && done.to->adapter
                               ? codec::Value(crypto::digest_hex(done.to->adapter->sha256))
                               : codec::Value()}});
  else if (!invocation.globals.quiet)
    invocation.console.line(done.to ? format("{} answers with the adapter before", done.name)
                                    : format("{} is gone; its base answers as before", done.name));
  return 0;
}

}  // namespace

Verb channel_verb() {
  const auto options = std::make_shared<ChannelOptions>();
  const Argument attest = {
      "--attest", "", &options->attest,
      "Publish, signed: first a hash of what draws the gate's slice, then what the "
      "gate said, with its report."};
  Verb verb;
  verb.name = "channel";
  verb.group = "Training";
  verb.summary = "Takes up adapters that followed logs publish";
  verb.details =
      "Every log of `loam follow ls` is a channel. What it publishes is fetched by hash, its "
      "lineage verified down to single records, its data set built again and compared, and the "
      "gate run here, before it answers. Keys that you list may attest instead.";
  verb.examples = {"loam channel ls", "loam channel take sailor", "loam channel set 0123 auto"};

  Verb all = inner_verb("ls", "Lists what is offered, the newest first", {"loam channel ls"});
  all.run = [](Invocation& invocation) { return list(invocation); };

  Verb one = inner_verb("take", "Verifies, gates and adopts a publication",
                        {"loam channel take sailor", "loam channel take loam1... --attest"});
  one.details =
      "The one that answered under its name is kept for `loam rollback`; one that is on trial "
      "there is given up.";
  one.arguments = {
      {"PUBLICATION", "", &options->what,
       "Its ID, its name, or the beginning of its adapter's hash.", true},
      {"--name", "NAME", &options->name, "The model's name; as published if not given."},
      {"--on-trial", "", &options->on_trial,
       "Where an adapter answers already: beside it first, as channels set to auto do."},
      attest};
  one.run = [options](Invocation& invocation) { return take_one(invocation, *options); };

  Verb policy = inner_verb(
      "set", "Says what happens with what a log publishes",
      {"loam channel set 0123 auto", "loam channel set 0123 ask --attestor HEX --attested 1"});
  policy.arguments = {
      {"CHANNEL", "", &options->log, "An ID of `loam follow ls`, or its beginning.", true},
      {"ADOPTION", "", &options->adoption,
       "auto: the node takes what passes. ask: you do. off: nothing is taken. Default ask."},
      {"--attestor", "KEY", &options->attestors,
       "An author's key, in hexadecimal, whose attestations count; may be repeated."},
      {"--attested", "N", &options->attested,
       "So many of those keys must attest that it passed; no gate runs here then. 0: it runs."}};
  policy.run = [options](Invocation& invocation) { return set(invocation, *options); };

  Verb look =
      inner_verb("poll", "Takes what is new on channels set to auto", {"loam channel poll"});
  look.details =
      "The node does it by itself every 15 minutes (channels.poll). Of each name the newest, three "
      "of a log at a time at most, beside what cannot be decided for now. What did not pass is not "
      "tried again; `loam channel ls` says why. Where an adapter of a channel answers already, the "
      "new one answers 20 prompts unheard beside it, then every tenth prompt, and then all. If it "
      "fails, or people's votes turn against it, the one before goes on.";
  look.arguments = {attest};
  look.run = [options](Invocation& invocation) { return poll(invocation, *options); };

  verb.verbs = {all, one, policy, look};
  return verb;
}

Verb rollback_verb() {
  const auto options = std::make_shared<ChannelOptions>();
  Verb verb;
  verb.name = "rollback";
  verb.group = "Training";
  verb.summary = "Gives up an adapter that was taken from a channel";
  verb.details =
      "The one before answers under its name again; without one the name goes. While a newer one "
      "is on trial, that is given up.";
  verb.examples = {"loam rollback sailor"};
  verb.arguments = {{"MODEL", "", &options->name, "Its name.", true, Offer::kModels},
                    {"--why", "TEXT", &options->why, "Written down beside the decision."}};
  verb.run = [options](Invocation& invocation) { return give_up(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
