// doctor: what is wrong here, and how to mend it.
#include <algorithm>

#include "base/format.h"
#include "cli/doctor_checks.h"
#include "cli/doctor_look.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

std::string_view colour_of(Health health) {
  switch (health) {
    case Health::kOk: return "32";
    case Health::kWarn: return "33";
    case Health::kFail: return "1;31";
  }
  return "0";
}

void print(Console& console, const Finding& finding) {
  std::string word = format("{:<5}", health_name(finding.health));
  if (console.options().out_is_terminal && console.options().colour)
    word = format("\x1b[{}m{}\x1b[0m", colour_of(finding.health), word);
  console.line(format("{} {:<15} {}", word, finding.name, printable(finding.text)));
  if (!finding.fix.empty()) console.line(format("      {:<15} -> {}", "", printable(finding.fix)));
}

codec::Value value_of(const Finding& finding) {
  codec::Value value;
  value.set("health", health_name(finding.health));
  value.set("name", finding.name);
  value.set("text", finding.text);
  value.set("fix", finding.fix);
  return value;
}

Result<int> doctor(Invocation& invocation) {
  const auto findings = diagnose(LOAM_TRY(look_around(invocation)));
  for (const auto& finding : findings) {
    if (invocation.globals.json)
      invocation.console.json(value_of(finding));
    else if (!invocation.globals.quiet || finding.health != Health::kOk)
      print(invocation.console, finding);
  }
  const bool failed =
      std::ranges::find(findings, Health::kFail, &Finding::health) != findings.end();
  return static_cast<int>(failed ? ExitCode::kFailed : ExitCode::kOk);
}

}  // namespace

Verb doctor_verb() {
  Verb verb;
  verb.name = "doctor";
  verb.group = "Node";
  verb.summary = "Says what is wrong on this machine and how to mend it";
  verb.details =
      "One line for each thing checked: ok, warn or fail, with the remedy. Exit code 1 if anything "
      "fails. With --json one object a line.";
  verb.examples = {"loam doctor", "loam doctor --json"};
  verb.run = doctor;
  return verb;
}

}  // namespace loam::cli
