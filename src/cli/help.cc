// Help texts out of the verbs' own description.
#include <algorithm>

#include "base/format.h"
#include "cli/table.h"
#include "cli/verb.h"

namespace loam::cli {
namespace {

constexpr std::size_t kWidth = 92;  // chosen: fits a terminal of usual width with room to spare
constexpr std::size_t kMeaningAt = 30;

bool is_positional(const Argument& argument) { return !argument.name.starts_with('-'); }

std::string positional_text(const Argument& argument) {
  const bool many = std::holds_alternative<std::vector<std::string>*>(argument.target);
  const std::string name = argument.name + (many ? "..." : "");
  return argument.required ? name : "[" + name + "]";
}

std::string row(const std::string& left, const std::string& meaning) {
  const std::string text = wrap(meaning, kWidth, kMeaningAt);
  if (left.size() + 4 > kMeaningAt) return "  " + left + "\n" + text;
  return "  " + left + text.substr(2 + left.size());
}

std::string option_text(const Argument& argument) {
  std::string name = argument.name;
  if (const auto comma = name.find(','); comma != std::string::npos) name.insert(comma + 1, " ");
  return argument.value.empty() ? name : name + " " + argument.value;
}

}  // namespace

Verb inner_verb(std::string name, std::string summary, std::vector<std::string> examples) {
  Verb verb;
  verb.name = std::move(name);
  verb.summary = std::move(summary);
  verb.examples = std::move(examples);
  return verb;
}

std::string usage_line(const Verb& verb, const std::string& path) {
  std::string out = path;
  if (!verb.verbs.empty()) out += verb.run ? " [VERB]" : " VERB";
  for (const auto& argument : verb.arguments)
    if (is_positional(argument)) out += " " + positional_text(argument);
  if (std::ranges::any_of(verb.arguments, [](const auto& a) { return !is_positional(a); }))
    out += " [OPTION...]";
  return out;
}

std::string help_text(const Verb& verb, const std::string& path) {
  std::string out = usage_line(verb, path) + "\n\n" + wrap(verb.summary + ".", kWidth, 0);
  if (!verb.details.empty()) out += "\n" + wrap(verb.details, kWidth, 0);
  if (!verb.verbs.empty()) {
    out += "\nVerbs:\n";
    for (const auto& inner : verb.verbs) out += row(inner.name, inner.summary);
  }
  std::string positionals, options;
  for (const auto& argument : verb.arguments) {
    if (argument.meaning.empty()) continue;
    if (is_positional(argument))
      positionals += row(positional_text(argument), argument.meaning);
    else
      options += row(option_text(argument), argument.meaning);
  }
  if (!positionals.empty()) out += "\nArguments:\n" + positionals;
  if (!options.empty()) out += "\nOptions:\n" + options;
  if (!verb.examples.empty()) {
    out += "\nExamples:\n";
    for (const auto& example : verb.examples) out += "  " + example + "\n";
  }
  return out + "\n`loam help` lists all verbs and the options that each of them takes.\n";
}

std::string overview_text(const Verb& root) {
  std::string out = root.summary + ".\n\n" + wrap(root.details, kWidth, 0);
  std::vector<std::string> groups;
  for (const auto& verb : root.verbs)
    if (!verb.group.empty() && std::ranges::find(groups, verb.group) == groups.end())
      groups.push_back(verb.group);
  for (const auto& group : groups) {
    out += "\n" + group + ":\n";
    for (const auto& verb : root.verbs)
      if (verb.group == group) out += row(verb.name, verb.summary);
  }
  out += "\nOptions of every verb:\n";
  for (const auto& argument : root.arguments) out += row(option_text(argument), argument.meaning);
  out += "\nExamples:\n";
  for (const auto& example : root.examples) out += "  " + example + "\n";
  return out + "\n`loam VERB --help` explains one verb, `loam help exit-codes` the exit codes.\n";
}

}  // namespace loam::cli
