// gate: the open test that an adapter must pass before others take it up.
#include <memory>

#include "base/format.h"
#include "cli/exit_code.h"
#include "cli/gating.h"
#include "cli/replaying.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "codec/json.h"

namespace loam::cli {
namespace {

struct GateOptions {
  GateOrder order;
  std::optional<std::string> adapter, report;
  bool attest = false;
};

/// A gate that was not passed is no failure of the program: the exit code tells.
int exit_code(const gate::Verdict& verdict) {
  return verdict.outcome == gate::Outcome::kPass ? 0 : kVerificationFailed;
}

void show_report(Console& console, const gate::Report& report) {
  const gate::Verdict verdict = report.verdict();
  std::vector<std::vector<std::string>> rows;
  for (const gate::RuleResult& rule : verdict.rules)
    rows.push_back(
        {rule.rule, std::string(gate::outcome_name(rule.outcome)), printable(rule.says)});
  console.out(format_table({"RULE", "OUTCOME", "MEASURED"}, rows));
  console.line(format("{}: adapter {} (profile {}{})", gate::outcome_name(verdict.outcome),
                      crypto::digest_hex(report.adapter).substr(0, 16),
                      dataset::profile_name(report.profile),
                      report.self_gated ? ", self-gated" : ""));
  if (report.replay)
    console.line(format("it repeats the gate of report {}, and {}",
                        crypto::digest_hex(report.replay->of).substr(0, 16),
                        report.replay->found.within_tolerance() ? "agrees" : "DISAGREES"));
}

Result<int> show_run(Invocation& invocation, const GateRun& run) {
  Console& console = invocation.console;
  const gate::Verdict verdict = run.report.verdict();
  if (invocation.globals.json) {
    console.out(gate::report_text(run.report));
    return exit_code(verdict);
  }
  if (invocation.globals.quiet) {
    console.line(gate::outcome_name(verdict.outcome));
    return exit_code(verdict);
  }
  show_report(console, run.report);
  std::string parts;
  for (const GateRun::Part& part : run.parts)
    parts += format("{}{} {}", parts.empty() ? "" : ", ", part.what, short_duration(part.seconds));
  console.line("took: " + parts);
  console.line("report: " + run.file.string());
  return exit_code(verdict);
}

Result<int> run_it(Invocation& invocation, GateOptions& options) {
  options.order.adapter = *options.adapter;
  return show_run(invocation, LOAM_TRY(run_gate(invocation, options.order)));
}

Result<int> show(Invocation& invocation, const GateOptions& options) {
  const gate::Report report = LOAM_TRY(read_gate_report(*options.report));
  if (invocation.globals.json)
    invocation.console.out(gate::report_text(report));
  else
    show_report(invocation.console, report);
  return exit_code(report.verdict());
}

Result<int> replay(Invocation& invocation, const GateOptions& options) {
  const Replayed again = LOAM_TRY(replay_gate(invocation, {.what = *options.report,
                                                           .data = options.order.data,
                                                           .newer = options.order.newer,
                                                           .keys = options.order.keys,
                                                           .attest = options.attest}));
  const GateRun& run = again.run;
  const gate::Difference& found = run.report.replay->found;
  Console& console = invocation.console;
  if (invocation.globals.json) {
    codec::Array named;
    for (const std::string& one : found.named) named.emplace_back(one);
    console.json(codec::Object{
        {"agrees", found.within_tolerance()},
        {"same_verdict", found.same_verdict},
        {"score_difference_max", found.score_max},
        {"other_differences", std::uint64_t{found.others}},
        {"disagreements", std::move(named)},
        {"verdict", gate::outcome_name(run.report.verdict().outcome)},
        {"report", run.file.string()},
        {"attestation",
         again.attestation.empty() ? codec::Value() : codec::Value(again.attestation)}});
  } else {
    console.line(
        format("{}: verdict {} here, {} there; scores differ by {:.6f} nat a token at "
               "most, and {} other results",
               found.within_tolerance() ? "agrees" : "DISAGREES",
               gate::outcome_name(run.report.verdict().outcome),
               gate::outcome_name(again.first.verdict().outcome),
               static_cast<double>(found.score_max) / 1e6, found.others));
    for (const std::string& one : found.named) console.line("  " + printable(one));
    console.line("report: " + run.file.string());
    if (!again.attestation.empty()) console.line("attested: " + again.attestation);
  }
  return found.within_tolerance() ? 0 : kVerificationFailed;
}

/// What became of a report that was kept.
std::string standing_of(const KeptReport& kept) {
  if (kept.newest) return "newest";
  if (!kept.report || !kept.report->replay) return "earlier";
  return kept.report->replay->found.within_tolerance() ? "replay, agrees" : "replay, DISAGREES";
}

Result<int> list(Invocation& invocation) {
  Console& console = invocation.console;
  std::vector<std::vector<std::string>> rows;
  const env::Path gates = LOAM_TRY(gates_folder(invocation));
  for (const KeptReport& kept : LOAM_TRY(kept_gate_reports(gates))) {
    const std::string verdict(kept.report ? gate::outcome_name(kept.report->verdict().outcome)
                                          : std::string_view("unreadable"));
    const std::string data_set =
        kept.report ? crypto::digest_hex(kept.report->data_set) : std::string();
    const std::uint64_t others = kept.report ? kept.report->candidates_before : 0;
    const std::uint64_t tries = kept.report ? kept.report->tries_before : 0;
    if (invocation.globals.json)
      console.json(codec::Object{{"adapter_sha256", kept.adapter},
                                 {"verdict", verdict},
                                 {"data_set_root", data_set},
                                 {"candidates_before", others},
                                 {"tries_before", tries},
                                 {"standing", standing_of(kept)},
                                 {"report", kept.file.string()}});
    else if (invocation.globals.quiet)
      console.line(kept.file.string());
    rows.push_back({kept.adapter.substr(0, 16), verdict, data_set.substr(0, 16),
                    format("{}", others), format("{}", tries), standing_of(kept),
                    kept.file.filename().string()});
  }
  if (invocation.globals.json || invocation.globals.quiet) return 0;
  if (rows.empty())
    console.note("no gate was run here; loam gate run ADAPTER");
  else
    console.out(format_table(
        {"ADAPTER", "VERDICT", "DATA SET", "OTHERS", "TRIES", "STANDING", "REPORT"}, rows));
  return 0;
}

}  // namespace

Verb gate_verb() {
  const auto options = std::make_shared<GateOptions>();
  Verb verb;
  verb.name = "gate";
  verb.group = "Training";
  verb.summary = "Tests whether an adapter is better than its base, by open rules";
  verb.details =
      "Measures base and adapter as they are served, on answers that were never learned from: how "
      "likely each finds them, tasks that a program checks, repetition, leaks, and rare words that "
      "set something off. The verdict follows from the numbers in the report alone. Exit code 6 if "
      "it is not \"pass\".";
  verb.examples = {"loam gate run ftjob-...", "loam gate run ftjob-... --newer newer-set"};

  const Argument data = {"--data",
                         "DIR",
                         &options->order.data,
                         "The data set that it learned from; a training here knows its own.",
                         false,
                         Offer::kFiles};
  const Argument newer = {
      "--newer",
      "DIR",
      &options->order.newer,
      "A data set of the same logs at greater heights: what is new in it is measured with.",
      false,
      Offer::kFiles};
  const Argument key = {"--key", "VKEY", &options->order.keys,
                        "The key of a log in the data sets; this node's own if not given."};

  Verb make = inner_verb("run", "Measures, and writes a report", {"loam gate run ftjob-..."});
  make.arguments = {
      {"ADAPTER", "", &options->adapter, "An ID of `loam train ls`, or a model with an adapter.",
       true, Offer::kModels},
      data,
      newer,
      {"--profile", "NAME", &options->order.profile,
       "own: minutes, for your own adapters. network: what strangers' are held to. Default own."},
      key};
  make.run = [options](Invocation& invocation) { return run_it(invocation, *options); };

  Verb all = inner_verb("ls", "Lists every report that was kept, lost gates too", {"loam gate ls"});
  all.details =
      "OTHERS: gates of other adapters for the same base and data set before; TRIES: of the same "
      "adapter. The more there were, the clearer a gain must be.";
  all.run = [](Invocation& invocation) { return list(invocation); };

  Verb look = inner_verb("show", "Shows a report, if its verdict follows from its measurements",
                         {"loam gate show report.json"});
  const Argument report = {"REPORT", "", &options->report, "A report.json.", true, Offer::kFiles};
  look.arguments = {report};
  look.run = [options](Invocation& invocation) { return show(invocation, *options); };

  Verb again =
      inner_verb("replay", "Runs the gate of a report again, and compares",
                 {"loam gate replay report.json --data set", "loam gate replay sailor --attest"});
  again.details =
      "The adapter of the report must be here, as a model or of a training. Data sets that were "
      "built on this machine are found by their roots. Scores may differ by 0.02 nat a token "
      "between classes of processors; verdict, tasks and answers may not. What it measured is kept "
      "in a report of its own; the first one stays as it is.";
  again.arguments = {
      {"REPORT", "", &options->report,
       "A report.json; or a publication here or of a followed log, by its record, adapter or name.",
       true, Offer::kFiles},
      data,
      newer,
      key,
      {"--attest", "", &options->attest,
       "Publish, signed, what was measured of the publication, whether it agrees or not."}};
  again.run = [options](Invocation& invocation) { return replay(invocation, *options); };

  verb.verbs = {make, all, look, again};
  return verb;
}

}  // namespace loam::cli
