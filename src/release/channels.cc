#include "release/channels.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "codec/json.h"
#include "codec/members.h"
#include "env/file.h"

namespace loam::release {
namespace {

using codec::Array;
using codec::Object;
using codec::Value;

constexpr std::uint64_t kBookBytesMax = std::uint64_t{16} << 20;
/// Each waits a tenth of a second. An edit that changes the catalogue may copy a file. Chosen.
constexpr int kEditTriesMax = 100;
constexpr std::array<std::string_view, 3> kAdoptions = {"off", "ask", "auto"};
constexpr std::array<std::string_view, 3> kDecisions = {"taken", "refused", "rolled back"};

template <std::size_t N>
std::optional<std::size_t> place_of(const std::array<std::string_view, N>& names,
                                    std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

std::unexpected<Error> corrupt() {
  return fail(ErrorCode::kCorrupt, "the list of channels is damaged",
              "delete channels/book.json in the node's data folder to begin a new one");
}

Result<ChannelPolicy> policy_of(const Value& value) {
  const auto adoption = place_of(kAdoptions, text_at(value, "adoption"));
  const Value* const attestors = value.find("attestors");
  const std::int64_t needed = integer_at(value, "attestations");
  if (!adoption || attestors == nullptr || attestors->as_array() == nullptr || needed < 0)
    return corrupt();
  ChannelPolicy out{static_cast<Adoption>(*adoption), static_cast<std::uint64_t>(needed), {}};
  for (const Value& key : *attestors->as_array()) {
    const auto digest = crypto::parse_digest(key.as_string() == nullptr ? "" : *key.as_string());
    if (!digest) return corrupt();
    out.attestors.push_back(*digest);
  }
  return out;
}

Value votes_value(const Votes& votes) { return Object{{"up", votes.up}, {"down", votes.down}}; }

Result<Votes> votes_of(const Value* value) {
  if (value == nullptr) return corrupt();
  const std::int64_t up = integer_at(*value, "up"), down = integer_at(*value, "down");
  if (up < 0 || down < 0) return corrupt();
  return Votes{static_cast<std::uint64_t>(up), static_cast<std::uint64_t>(down)};
}

Value rollout_value(const Rollout& rollout) {
  return Object{{"publication", to_text(rollout.publication)},
                {"adapter", crypto::digest_hex(rollout.adapter)},
                {"adapter_before", crypto::digest_hex(rollout.adapter_before)},
                {"stage", stage_name(rollout.stage)},
                {"answers", rollout.answers},
                {"faults", rollout.faults},
                {"votes", votes_value(rollout.votes)},
                {"votes_before", votes_value(rollout.before)},
                {"score", rollout.score}};
}

Result<Rollout> rollout_of(const Value& value) {
  const auto publication = ledger::parse_record_id(text_at(value, "publication"));
  const auto adapter = crypto::parse_digest(text_at(value, "adapter"));
  const auto before = crypto::parse_digest(text_at(value, "adapter_before"));
  const auto stage = parse_stage(text_at(value, "stage"));
  const std::int64_t answers = integer_at(value, "answers"), faults = integer_at(value, "faults");
  if (!publication || !adapter || !before || !stage || answers < 0 || faults < 0) return corrupt();
  Rollout out;
  out.publication = *publication;
  out.adapter = *adapter;
  out.adapter_before = *before;
  out.stage = *stage;
  out.answers = static_cast<std::uint64_t>(answers);
  out.faults = static_cast<std::uint64_t>(faults);
  out.votes = LOAM_TRY(votes_of(value.find("votes")));
  out.before = LOAM_TRY(votes_of(value.find("votes_before")));
  out.score = integer_at(value, "score");
  return out;
}

}  // namespace

std::string_view adoption_name(Adoption adoption) {
  return kAdoptions.at(std::to_underlying(adoption));
}

Result<Adoption> parse_adoption(std::string_view name) {
  if (const auto found = place_of(kAdoptions, name)) return static_cast<Adoption>(*found);
  return fail(ErrorCode::kInvalidArgument, format("\"{}\" is not a way to adopt", name),
              "one of auto, ask, off");
}

std::string_view decision_name(Decision::State state) {
  return kDecisions.at(std::to_underlying(state));
}

std::string book_text(const ChannelBook::Content& content) {
  Object policies, decisions, rollouts;
  for (const auto& [log, policy] : content.policies) {
    Array attestors;
    for (const crypto::PublicKey& key : policy.attestors) attestors.push_back(to_hex(key));
    policies.emplace_back(log, Object{{"adoption", adoption_name(policy.adoption)},
                                      {"attestations", policy.attestations},
                                      {"attestors", std::move(attestors)}});
  }
  for (const auto& [id, decision] : content.decisions)
    decisions.emplace_back(to_text(id), Object{{"state", decision_name(decision.state)},
                                               {"model", decision.model},
                                               {"why", decision.why},
                                               {"at_ms", decision.at_ms}});
  for (const auto& [name, rollout] : content.rollouts)
    rollouts.emplace_back(name, rollout_value(rollout));
  const Object all{{"policies", std::move(policies)},
                   {"decisions", std::move(decisions)},
                   {"rollouts", std::move(rollouts)}};
  return codec::to_json(all, 1) + "\n";
}

Result<ChannelBook::Content> parse_book(std::string_view text) {
  const auto value = codec::parse_json(text, {.bytes_max = kBookBytesMax});
  const Value* const policies = value ? value->find("policies") : nullptr;
  const Value* const decisions = value ? value->find("decisions") : nullptr;
  if (policies == nullptr || policies->as_object() == nullptr || decisions == nullptr ||
      decisions->as_object() == nullptr)
    return corrupt();
  ChannelBook::Content out;
  for (const auto& [log, policy] : *policies->as_object())
    out.policies.emplace(log, LOAM_TRY(policy_of(policy)));
  for (const auto& [name, decision] : *decisions->as_object()) {
    const auto id = ledger::parse_record_id(name);
    const auto state = place_of(kDecisions, text_at(decision, "state"));
    if (!id || !state) return corrupt();
    out.decisions.emplace(*id,
                          Decision{static_cast<Decision::State>(*state), text_at(decision, "model"),
                                   text_at(decision, "why"), integer_at(decision, "at_ms")});
  }
  // Absent in books that were written before there were rollouts.
  const Value* const rollouts = value->find("rollouts");
  if (rollouts == nullptr) return out;
  if (rollouts->as_object() == nullptr) return corrupt();
  for (const auto& [name, rollout] : *rollouts->as_object())
    out.rollouts.emplace(name, LOAM_TRY(rollout_of(rollout)));
  return out;
}

Result<ChannelBook::Content> ChannelBook::read() const {
  const auto text = env::read_file(path(), kBookBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) return Content{};
  if (!text) return std::unexpected(text.error());
  return parse_book(*text);
}

Result<> ChannelBook::Edit::save() const {
  return env::write_file_atomic(path_, book_text(content), 0600);
}

Result<ChannelBook::Edit> ChannelBook::edit() const {
  LOAM_TRY(env::make_folder(folder_));
  auto held = env::FileLock::acquire_after(folder_ / "book.lock", kEditTriesMax);
  if (!held && held.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kUnavailable,
                format("change the list of channels: {}", held.error().message),
                "try again in a moment");
  if (!held) return std::unexpected(held.error());
  return Edit(LOAM_TRY(read()), path(), *std::move(held));
}

Result<> ChannelBook::change(const std::function<void(Content&)>& change) const {
  Edit edit = LOAM_TRY(this->edit());
  change(edit.content);
  return edit.save();
}

Result<> ChannelBook::set_policy(const std::string& log, ChannelPolicy policy) const {
  return change([&](Content& content) { content.policies[log] = std::move(policy); });
}

Result<> ChannelBook::decide(const ledger::RecordId& publication, Decision decision) const {
  return change([&](Content& content) { content.decisions[publication] = std::move(decision); });
}

Result<env::FileLock> ChannelBook::lock() const {
  LOAM_TRY(env::make_folder(folder_));
  return env::FileLock::acquire(folder_ / "lock");
}

}  // namespace loam::release
