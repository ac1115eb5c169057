// A verb of the command line as data: from it come parsing (command_line.cc, the one file that
// knows CLI11), the help texts and the shells' completions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace loam::cli {

struct Invocation;

/// Where an argument's value goes; it must live as long as the Verb (its `run` holds it).
using Target = std::variant<bool*, std::optional<std::string>*, std::vector<std::string>*,
                            std::optional<double>*, std::optional<std::int64_t>*>;

/// What a shell can offer for a value.
enum class Offer { kNothing, kModels, kFiles, kVerbs, kSettings };

struct Argument {
  std::string name = {};   // "--seed", "-q,--quiet"; a positional: "MODEL"
  std::string value = {};  // placeholder of an option's value: "N"; empty for flags and positionals
  Target target = {};
  std::string meaning = {};  // empty: hidden, for tests
  bool required = false;
  Offer offer = Offer::kNothing;
};

struct Verb {
  std::string name = {};
  std::string group = {};    // heading in `loam help`; empty: not listed
  std::string summary = {};  // one line, without a full stop
  std::string details = {};  // paragraphs; may be empty
  std::vector<std::string> examples = {};
  std::vector<Argument> arguments = {};
  std::vector<Verb> verbs = {};
  /// The exit code, or what failed. Null if only `verbs` can be run.
  std::function<Result<int>(Invocation&)> run = {};
};

/// A verb that stands below another one, without arguments and without anything to run yet.
Verb inner_verb(std::string name, std::string summary, std::vector<std::string> examples);

/// "loam run MODEL [PROMPT...]"
std::string usage_line(const Verb& verb, const std::string& path);
/// The whole help of one verb; `path` is "loam run".
std::string help_text(const Verb& verb, const std::string& path);
/// The help of the program: verbs under their groups.
std::string overview_text(const Verb& root);

}  // namespace loam::cli
