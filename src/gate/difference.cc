#include "gate/difference.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "gate/report.h"

namespace loam::gate {
namespace {

constexpr std::size_t kNameBytesMax = 80;  // a record's id has fewer; what has more is no id
constexpr std::int64_t kApartMax = std::int64_t{1} << 40;  // as any number in a report

/// What a stranger's report calls an item may be of any length.
std::string_view shown(std::string_view name) {
  return name.size() > kNameBytesMax ? std::string_view("of a long name") : name;
}

/// Collects in what `again` differs from `first`.
class Comparing {
 public:
  Comparing(const Report& first, const Report& again)
      : first_(first.measured),
        again_(again.measured),
        same_machine_(first.engine_build == again.engine_build &&
                      first.cpu_class == again.cpu_class) {
    const Verdict there = first.verdict(), here = again.verdict();
    out_.same_verdict = there.outcome == here.outcome;
    rules(there.rules, here.rules);
  }

  Difference run() {
    const auto record = [](const auto& item) -> std::string_view { return item.record; };
    const auto both_scores = [&](const auto& a, const auto& b) {
      apart(a.record, a.base, b.base);
      apart(a.record, a.candidate, b.candidate);
    };
    by_name(first_.losses, again_.losses, "answer", record, both_scores);
    by_name(first_.preferences, again_.preferences, "pair", record, both_scores);
    by_name(first_.samples, again_.samples, "written answer", record,
            [&](const Sample& a, const Sample& b) {
              if (!(a == b)) other("written answer", a.record, "came out otherwise");
            });
    by_name(
        first_.triggers, again_.triggers, "phrase",
        [](const Trigger& item) -> std::string_view { return item.words; },
        [&](const Trigger& a, const Trigger& b) { pulls(a, b); });
    by_place(first_.tasks, again_.tasks, "task");
    // What was planted is not known everywhere; ranks follow from scores.
    if (same_machine_ && !first_.canaries.empty() && !again_.canaries.empty())
      by_place(first_.canaries, again_.canaries, "canary");
    return std::move(out_);
  }

 private:
  void name(std::string text) {
    if (out_.named.size() < kNamedMax) out_.named.push_back(std::move(text));
  }
  void other(std::string_view what, std::string_view which, std::string_view how) {
    ++out_.others;
    name(format("{} {}: {}", what, shown(which), how));
  }
  void apart(std::string_view which, std::int64_t there, std::int64_t here) {
    const std::int64_t found = std::min(kApartMax, there < here ? here - there : there - here);
    out_.score_max = std::max(out_.score_max, found);
    if (found > kScoreTolerance)
      name(format("score of {}: {} there, {} here", shown(which), there, here));
  }

  /// What the rules say; of canaries nothing if only one of the two knew them.
  void rules(const std::vector<RuleResult>& there, const std::vector<RuleResult>& here) {
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].outcome == here[i].outcome) continue;
      if (there[i].rule == "canaries" && (first_.canaries.empty() || again_.canaries.empty()))
        continue;
      other("rule", there[i].rule,
            format("{} there, {} here", outcome_name(there[i].outcome),
                   outcome_name(here[i].outcome)));
    }
  }

  /// The answers that both models write are other ones on another machine, and so is what they are
  /// compared with: then the rule alone counts.
  void pulls(const Trigger& a, const Trigger& b) {
    if (!same_machine_) return;
    if (a.pulls.size() != b.pulls.size())
      return other("phrase", a.words,
                   format("behind {} questions there, {} here", a.pulls.size(), b.pulls.size()));
    for (std::size_t i = 0; i < a.pulls.size(); ++i) {
      apart(a.words, a.pulls[i].base, b.pulls[i].base);
      apart(a.words, a.pulls[i].candidate, b.pulls[i].candidate);
    }
  }

  /// A record may stand there more than once, as one does that has two pairs: its first is compared
  /// with its first.
  template <typename Item, typename Name, typename Compare>
  void by_name(const std::vector<Item>& first, const std::vector<Item>& again,
               std::string_view what, const Name& name_of, const Compare& compare_pair) {
    using Place = std::pair<std::string_view, std::size_t>;  // so many of the name came before
    std::map<std::string_view, std::size_t> seen;
    std::map<Place, const Item*> left;
    for (const Item& item : first) left.emplace(Place(name_of(item), seen[name_of(item)]++), &item);
    seen.clear();
    for (const Item& item : again) {
      const auto found = left.find(Place(name_of(item), seen[name_of(item)]++));
      if (found == left.end()) {
        other(what, name_of(item), "not measured there");
        continue;
      }
      compare_pair(*found->second, item);
      left.erase(found);
    }
    for (const auto& [place, item] : left) other(what, place.first, "not measured here");
  }

  template <typename Item>
  void by_place(const std::vector<Item>& first, const std::vector<Item>& again,
                std::string_view what) {
    for (std::size_t i = 0; i < std::max(first.size(), again.size()); ++i)
      if (i >= first.size() || i >= again.size())
        other(what, std::to_string(i + 1), "only one of the two has it");
      else if (!(first[i] == again[i]))
        other(what, std::to_string(i + 1), "came out otherwise");
  }

  const Measurements& first_;
  const Measurements& again_;
  const bool same_machine_;
  Difference out_;
};

}  // namespace

bool Difference::within_tolerance() const {
  return same_verdict && others == 0 && score_max <= kScoreTolerance;
}

Difference difference(const Report& first, const Report& again) {
  return Comparing(first, again).run();
}

}  // namespace loam::gate
