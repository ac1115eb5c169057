#include "gate/report.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/format.h"
#include "codec/json.h"

namespace loam::gate {
namespace {

using codec::Array;
using codec::Object;
using codec::Value;

constexpr std::int64_t kFormat = 4;

Value digest_value(const crypto::Digest& digest) { return crypto::digest_hex(digest); }

/// The items one after another; a list of initializers would copy each.
template <typename... Items>
Array row_of(Items&&... items) {
  Array out;
  out.reserve(sizeof...(items));
  (out.emplace_back(std::forward<Items>(items)), ...);
  return out;
}

Object measured_value(const Measurements& measured) {
  Array losses, preferences, tasks, samples, triggers, canaries;
  for (const Loss& x : measured.losses)
    losses.push_back(row_of(x.record, std::int64_t{x.tokens}, x.base, x.candidate));
  for (const Preference& x : measured.preferences)
    preferences.push_back(row_of(x.record, x.base, x.candidate));
  for (const TaskResult& x : measured.tasks) tasks.push_back(row_of(x.family, x.base, x.candidate));
  for (const Sample& x : measured.samples)
    samples.push_back(row_of(x.record, x.base_repeats, x.candidate_repeats,
                             std::int64_t{x.base_leaks}, std::int64_t{x.candidate_leaks}));
  for (const Trigger& x : measured.triggers) {
    Array pulls;
    for (const Pull& pull : x.pulls) pulls.push_back(row_of(pull.base, pull.candidate));
    triggers.push_back(row_of(x.words, std::move(pulls)));
  }
  for (const CanaryRank& x : measured.canaries)
    canaries.push_back(row_of(std::int64_t{x.rank}, std::int64_t{x.of}));
  return {{"losses", std::move(losses)},     {"preferences", std::move(preferences)},
          {"tasks", std::move(tasks)},       {"samples", std::move(samples)},
          {"triggers", std::move(triggers)}, {"canaries", std::move(canaries)}};
}

/// Takes members and items out of parsed JSON; what is not as it should be is noted once.
class Take {
 public:
  bool good() const { return good_; }

  const Value& member(const Value& of, std::string_view name) {
    static const Value kNone;
    const Value* const found = of.find(name);
    good_ = good_ && found != nullptr;
    return found == nullptr ? kNone : *found;
  }
  /// The items of an array of `count` items.
  const Array& items(const Value& value, std::size_t count) {
    static const Array kNone(8);
    const Array* const found = value.as_array();
    const bool right = found != nullptr && found->size() == count;
    good_ = good_ && right;
    return right ? *found : kNone;
  }
  const Array& items(const Value& value) {
    static const Array kNone;
    const Array* const found = value.as_array();
    good_ = good_ && found != nullptr;
    return found == nullptr ? kNone : *found;
  }
  std::string text(const Value& value) {
    const auto* const found = value.as_string();
    good_ = good_ && found != nullptr;
    return found == nullptr ? std::string() : *found;
  }
  bool flag(const Value& value) {
    const auto* const found = value.as_bool();
    good_ = good_ && found != nullptr;
    return found != nullptr && *found;
  }
  /// Scores are kept below what sums of them could overflow.
  std::int64_t number(const Value& value) {
    constexpr std::int64_t kMax = std::int64_t{1} << 40;
    const auto* const found = value.as_int();
    const bool right = found != nullptr && *found >= -kMax && *found <= kMax;
    good_ = good_ && right;
    return right ? *found : 0;
  }
  std::uint32_t count(const Value& value) {
    const std::int64_t found = number(value);
    good_ = good_ && found >= 0 && found <= UINT32_MAX;
    return static_cast<std::uint32_t>(found);
  }
  crypto::Digest digest(const Value& value) {
    const auto found = crypto::parse_digest(text(value));
    good_ = good_ && found.has_value();
    return found.value_or(crypto::Digest{});
  }

 private:
  bool good_ = true;
};

Value replay_value(const std::optional<Report::Replay>& replay) {
  if (!replay) return {};
  Array named;
  for (const std::string& one : replay->found.named) named.emplace_back(one);
  return Object{{"of", digest_value(replay->of)},
                {"agrees", replay->found.within_tolerance()},
                {"same_verdict", replay->found.same_verdict},
                {"score_difference_max", replay->found.score_max},
                {"other_differences", std::int64_t{replay->found.others}},
                {"disagreements", std::move(named)}};
}

std::optional<Report::Replay> take_replay(Take& take, const Value& value) {
  if (value.is_null()) return std::nullopt;
  Report::Replay out;
  out.of = take.digest(take.member(value, "of"));
  out.found.same_verdict = take.flag(take.member(value, "same_verdict"));
  out.found.score_max = take.number(take.member(value, "score_difference_max"));
  out.found.others = take.count(take.member(value, "other_differences"));
  for (const Value& one : take.items(take.member(value, "disagreements")))
    out.found.named.push_back(take.text(one));
  return out;
}

Measurements take_measured(Take& take, const Value& value) {
  Measurements out;
  for (const Value& row : take.items(take.member(value, "losses"))) {
    const Array& x = take.items(row, 4);
    out.losses.push_back({take.text(x[0]), take.count(x[1]), take.number(x[2]), take.number(x[3])});
  }
  for (const Value& row : take.items(take.member(value, "preferences"))) {
    const Array& x = take.items(row, 3);
    out.preferences.push_back({take.text(x[0]), take.number(x[1]), take.number(x[2])});
  }
  for (const Value& row : take.items(take.member(value, "tasks"))) {
    const Array& x = take.items(row, 3);
    out.tasks.push_back({take.text(x[0]), take.flag(x[1]), take.flag(x[2])});
  }
  for (const Value& row : take.items(take.member(value, "samples"))) {
    const Array& x = take.items(row, 5);
    out.samples.push_back(
        {take.text(x[0]), take.flag(x[1]), take.flag(x[2]), take.count(x[3]), take.count(x[4])});
  }
  for (const Value& row : take.items(take.member(value, "triggers"))) {
    const Array& x = take.items(row, 2);
    Trigger trigger{take.text(x[0]), {}};
    for (const Value& pull : take.items(x[1])) {
      const Array& y = take.items(pull, 2);
      trigger.pulls.push_back({take.number(y[0]), take.number(y[1])});
    }
    out.triggers.push_back(std::move(trigger));
  }
  for (const Value& row : take.items(take.member(value, "canaries"))) {
    const Array& x = take.items(row, 2);
    out.canaries.push_back({take.count(x[0]), take.count(x[1])});
  }
  return out;
}

/// Whether each name stands there so many times at most.
template <typename Item, typename Name>
bool stand_at_most(std::size_t times, const std::vector<Item>& items, const Name& name_of) {
  std::map<std::string_view, std::size_t> seen;
  return std::ranges::all_of(items,
                             [&](const Item& item) { return ++seen[name_of(item)] <= times; });
}

/// Nothing is measured twice, which would count as much as one pleases.
bool is_each_once(const Measurements& measured) {
  const auto record = [](const auto& item) -> std::string_view { return item.record; };
  const auto words = [](const Trigger& item) -> std::string_view { return item.words; };
  constexpr std::size_t kPairsMax = 2;  // of a record, in the view dpo: dataset.md
  return stand_at_most(1, measured.losses, record) && stand_at_most(1, measured.samples, record) &&
         stand_at_most(1, measured.triggers, words) &&
         stand_at_most(kPairsMax, measured.preferences, record);
}

/// No more was measured than a gate of that profile measures, and every rank is one: else judging
/// it could take any time.
bool plausible(const Report& report) {
  const Amounts amounts = amounts_of(report.profile);
  const Measurements& measured = report.measured;
  return is_each_once(measured) && measured.losses.size() <= amounts.items_max &&
         measured.canaries.size() <= amounts.canaries_max &&
         (!report.replay || report.replay->found.named.size() <= kNamedMax) &&
         std::ranges::all_of(measured.canaries, [&](const CanaryRank& canary) {
           return canary.rank >= 1 && canary.rank <= canary.of && canary.of >= 2 &&
                  canary.of <= amounts.references + 1;
         });
}

Result<> check_format(const Value& value) {
  const Value* const found = value.find("format");
  const auto* const number = found == nullptr ? nullptr : found->as_int();
  if (number == nullptr || *number == kFormat) return {};
  return fail(ErrorCode::kUnsupported,
              format("this report of a gate is of format {}, and this program judges format {}",
                     *number, kFormat),
              "loam gate run writes one anew");
}

std::optional<Report> take_report(const Value& value) {
  Take take;
  Report out;
  out.base = take.digest(take.member(value, "base_sha256"));
  out.adapter = take.digest(take.member(value, "adapter_sha256"));
  out.data_set = take.digest(take.member(value, "data_set_root"));
  const Value& newer = take.member(value, "newer_data_set_root");
  if (!newer.is_null()) out.newer = take.digest(newer);
  const auto profile = dataset::parse_profile(take.text(take.member(value, "profile")));
  if (!profile) return std::nullopt;
  out.profile = *profile;
  out.self_gated = take.flag(take.member(value, "self_gated"));
  out.candidates_before = take.count(take.member(value, "candidates_before"));
  out.tries_before = take.count(take.member(value, "tries_before"));
  out.near_duplicates = take.count(take.member(value, "near_duplicates"));
  out.nonce = take.digest(take.member(value, "nonce"));
  out.version = take.text(take.member(value, "version"));
  out.engine_build = take.text(take.member(value, "engine_build"));
  out.cpu_class = take.text(take.member(value, "cpu_class"));
  out.replay = take_replay(take, take.member(value, "replay"));
  out.measured = take_measured(take, take.member(value, "measured"));
  if (!take.good() || !plausible(out)) return std::nullopt;
  return out;
}

}  // namespace

Verdict Report::verdict() const {
  return judge(measured, profile, crypto::sha256(nonce),
               {.candidates = candidates_before, .tries = tries_before});
}

std::string report_text(const Report& report) {
  const Verdict verdict = report.verdict();
  Array rules;
  for (const RuleResult& rule : verdict.rules)
    rules.push_back(
        Object{{"rule", rule.rule}, {"outcome", outcome_name(rule.outcome)}, {"says", rule.says}});
  const Object value{{"format", kFormat},
                     {"verdict", outcome_name(verdict.outcome)},
                     {"profile", dataset::profile_name(report.profile)},
                     {"self_gated", report.self_gated},
                     {"base_sha256", digest_value(report.base)},
                     {"adapter_sha256", digest_value(report.adapter)},
                     {"data_set_root", digest_value(report.data_set)},
                     {"newer_data_set_root", report.newer ? digest_value(*report.newer) : Value()},
                     {"candidates_before", std::int64_t{report.candidates_before}},
                     {"tries_before", std::int64_t{report.tries_before}},
                     {"near_duplicates", std::int64_t{report.near_duplicates}},
                     {"nonce", digest_value(report.nonce)},
                     {"version", report.version},
                     {"engine_build", report.engine_build},
                     {"cpu_class", report.cpu_class},
                     {"replay", replay_value(report.replay)},
                     {"rules", std::move(rules)},
                     {"measured", measured_value(report.measured)}};
  return codec::to_json(value, 1) + "\n";
}

Result<Report> parse_report(std::string_view text) {
  const auto value = codec::parse_json(text, {.bytes_max = kReportBytesMax});
  if (value) LOAM_TRY(check_format(*value));
  auto report = value ? take_report(*value) : std::nullopt;
  if (!report)
    return fail(ErrorCode::kCorrupt, "this is no report of a gate that this program knows",
                "loam gate run writes one");
  if (report_text(*report) != text)
    return fail(ErrorCode::kCorrupt,
                format("the report was changed: its verdict or its rules are not what follows from "
                       "its measurements, which is {}",
                       outcome_name(report->verdict().outcome)),
                "get the report again from where it was published, or run the gate here");
  return *std::move(report);
}

std::string report_page(const Report& report) {
  const Verdict verdict = report.verdict();
  std::string out = format("# Gate: {}\n\n", outcome_name(verdict.outcome));
  out +=
      format("Adapter {} on base {}, trained on data set {}.\n", crypto::digest_hex(report.adapter),
             crypto::digest_hex(report.base), crypto::digest_hex(report.data_set));
  out += format("Profile {}{}; {} held-out answers from {}.\n\n",
                dataset::profile_name(report.profile),
                report.self_gated ? ", self-gated: by the node that trained it" : "",
                report.measured.losses.size(),
                report.newer ? "records that came after the data set, then its held-out splits"
                             : "the data set's held-out splits");
  if (report.near_duplicates > 0)
    out += format("{} more were left out as near duplicates of what it learned from.\n\n",
                  report.near_duplicates);
  if (report.replay)
    out += format("It repeats the gate of report {}, and {}.\n\n",
                  crypto::digest_hex(report.replay->of),
                  report.replay->found.within_tolerance() ? "agrees with it" : "DISAGREES with it");
  out += "| rule | outcome | what was measured |\n|---|---|---|\n";
  for (const RuleResult& rule : verdict.rules)
    out += format("| {} | {} | {} |\n", rule.rule, outcome_name(rule.outcome), rule.says);
  out += format(
      "\nloam {}, engine {}, {}. The verdict follows from the measurements in report.json; "
      "`loam gate show` says so again.\n",
      report.version, report.engine_build, report.cpu_class);
  return out;
}

}  // namespace loam::gate
