// version, env, help: what this program is and how it is used.
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"
#include "engine/cpu_class.h"
#include "node/machine.h"
#include "node/presence.h"

namespace loam::cli {
namespace {

struct HelpOptions {
  std::vector<std::string> words;
};

Result<int> version(Invocation& invocation) {
  if (invocation.globals.json) {
    codec::Value value;
    value.set("version", node::version());
    value.set("cpu_class", engine::cpu_class());
    invocation.console.json(value);
  } else {
    invocation.console.line(format("loam {}", node::version()));
  }
  return 0;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

/// Nothing here says who the person is: the home folder becomes "~".
std::string redacted(std::string text) {
  const auto home = env::variable("HOME");
  if (!home || home->size() < 2) return text;
  for (auto at = text.find(*home); at != std::string::npos; at = text.find(*home, at + 1))
    text.replace(at, home->size(), "~");
  return text;
}

/// Addresses and names of hosts are a person's own matter: only that they are set is said.
std::string config_text(const node::Setting& setting, const node::Config& config) {
  const std::string text = node::value_text(setting, config);
  const bool names_hosts =
      setting.path.starts_with("allow.") || setting.path == "pull.hub" || setting.path == "listen";
  if (!names_hosts) return redacted(text);
  if (setting.path == "listen") {
    const auto listen = node::parse_listen(text);
    return listen && listen->loopback ? text : "(set, not on loopback)";
  }
  return "(set)";
}

Rows environment_rows(Invocation& invocation, const env::Folders& folders) {
  const node::Memory memory = node::memory();
  Rows rows{{"version", node::version()},
            {"cpu_class", std::string(engine::cpu_class())},
            {"system", node::system_name()},
            {"cpu", node::cpu_name()},
            {"cores", std::to_string(node::core_count())},
            {"memory", format("{}, {} available", human_bytes(memory.total_bytes),
                              human_bytes(memory.available_bytes))}};
  for (const auto& [name, path] : {std::pair{"config", folders.config},
                                   {"data", folders.data},
                                   {"state", folders.state},
                                   {"cache", folders.cache}}) {
    rows.emplace_back(format("folder {}", name), redacted(path.string()));
    if (const auto free = env::free_bytes(path))
      rows.back().second += format(" ({} free)", human_bytes(*free));
  }
  rows.emplace_back("node", node::find_running(folders) ? "running" : "not running");
  const auto loaded = config_of(invocation);
  if (!loaded) {
    rows.emplace_back("config error", redacted(loaded.error().message));
    return rows;
  }
  for (const auto& setting : node::settings())
    if (const auto origin = loaded->origins.find(setting.path); origin != loaded->origins.end())
      rows.emplace_back(
          format("config {}", setting.path),
          format("{} ({})", config_text(setting, loaded->config), redacted(origin->second)));
  return rows;
}

Result<int> environment(Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  codec::Value value;
  for (const auto& [name, text] : environment_rows(invocation, folders)) {
    if (invocation.globals.json)
      value.set(name, text);
    else
      invocation.console.line(format("{:<20} {}", name, printable(text)));
  }
  if (invocation.globals.json) invocation.console.json(value);
  return 0;
}

Result<int> help(Invocation& invocation, const HelpOptions& options) {
  if (options.words.size() == 1 && options.words.front() == "exit-codes") {
    invocation.console.out(exit_codes_text());
    return 0;
  }
  const Verb* verb = &invocation.root;
  std::string path = verb->name;
  for (const auto& word : options.words) {
    const Verb* next = nullptr;
    std::vector<std::string> names{"exit-codes"};
    for (const auto& inner : verb->verbs) {
      names.push_back(inner.name);
      if (inner.name == word) next = &inner;
    }
    if (next == nullptr) {
      const auto close = nearest(word, names);
      return fail(ErrorCode::kInvalidArgument, format("help: {} has no verb {}", path, word),
                  close ? format("did you mean {}?", *close) : "`loam help` lists the verbs");
    }
    verb = next;
    path += " " + word;
  }
  invocation.console.out(verb == &invocation.root ? overview_text(*verb) : help_text(*verb, path));
  return 0;
}

Verb settings_group(std::string name, std::string summary) {
  Verb verb;
  verb.name = std::move(name);
  verb.group = "Settings";
  verb.summary = std::move(summary);
  return verb;
}

}  // namespace

Verb version_verb() {
  Verb verb = settings_group("version", "Prints the version of this program");
  verb.examples = {"loam version", "loam version --json"};
  verb.run = version;
  return verb;
}

Verb env_verb() {
  Verb verb = settings_group("env", "Prints what a bug report needs");
  verb.details =
      "Versions, machine, folders and changed settings, without secrets, host names and the name "
      "of your home folder. Read it before you post it all the same.";
  verb.examples = {"loam env"};
  verb.run = environment;
  return verb;
}

Verb help_verb() {
  const auto options = std::make_shared<HelpOptions>();
  Verb verb = settings_group("help", "Explains the program, a verb, or the exit codes");
  verb.examples = {"loam help run", "loam help exit-codes"};
  verb.arguments = {{"VERB", "", &options->words, "A verb, or exit-codes.", false, Offer::kVerbs}};
  verb.run = [options](Invocation& invocation) { return help(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
