#include "cli/completion.h"

#include <memory>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "cli/verbs.h"
#include "node/config.h"

namespace loam::cli {
namespace {

/// What follows after a path of verbs ("key new"): words and what is offered for values.
struct Place {
  std::string path;  // "", "run", "key new"
  std::string words;
  Offer positional = Offer::kNothing;
};

void add_words(std::string& words, std::string_view word) {
  words += (words.empty() ? "" : " ") + std::string(word);
}

void collect(const Verb& verb, const Verb& root, const std::string& path,
             std::vector<Place>& places) {
  Place place{path, "", Offer::kNothing};
  for (const auto& inner : verb.verbs) add_words(place.words, inner.name);
  for (const auto* arguments : {&verb.arguments, &root.arguments}) {
    if (arguments == &root.arguments && &verb == &root) continue;
    for (const auto& argument : *arguments) {
      if (argument.meaning.empty()) continue;
      if (!argument.name.starts_with('-')) {
        if (place.positional == Offer::kNothing) place.positional = argument.offer;
        continue;
      }
      for (const auto name : split(argument.name, ',')) add_words(place.words, name);
    }
  }
  add_words(place.words, "--help");
  places.push_back(place);
  for (const auto& inner : verb.verbs)
    collect(inner, root, path.empty() ? inner.name : path + " " + inner.name, places);
}

std::string setting_words() {
  std::string out;
  for (const auto& setting : node::settings()) add_words(out, setting.path);
  return out;
}

std::string verb_words(const Verb& root) {
  std::string out = "exit-codes";
  for (const auto& verb : root.verbs) add_words(out, verb.name);
  return out;
}

/// A shell command that prints what is offered, one word a line or between spaces.
std::string offer_command(Offer offer, const Verb& root) {
  switch (offer) {
    case Offer::kModels: return "loam ls -q 2>/dev/null";
    case Offer::kSettings: return format("echo {}", setting_words());
    case Offer::kVerbs: return format("echo {}", verb_words(root));
    case Offer::kNothing:
    case Offer::kFiles: break;
  }
  return "";
}

std::string bash_script(const Verb& root, const std::vector<Place>& places) {
  std::string cases;
  for (const auto& place : places) {
    cases += format("    \"{}\") words=\"{}\"", place.path, place.words);
    if (const auto command = offer_command(place.positional, root); !command.empty())
      cases += format("; [[ $current == -* ]] || words=\"$({})\"", command);
    if (place.positional == Offer::kFiles) cases += "; [[ $current == -* ]] || files=1";
    cases += " ;;\n";
  }
  std::string verbs;
  for (const auto& place : places)
    if (!place.path.empty()) verbs += format("|{}", place.path);
  return format(
      R"(# Completion of loam for bash: loam completion bash > ~/.local/share/bash-completion/completions/loam
_loam() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path="" words="" files="" i word
  local known="{}|"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    [[ $word == -* ]] && continue
    [[ $known == *"|${{path:+$path }}$word|"* ]] && path="${{path:+$path }}$word"
  done
  case "$path" in
{}  esac
  if [[ $files ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _loam loam
)",
      verbs, cases);
}

std::string zsh_script(const Verb& root, const std::vector<Place>& places) {
  // zsh runs functions for bash through bashcompinit, which all its versions ship.
  return "#compdef loam\n"
         "# Completion of loam for zsh: loam completion zsh > ~/.zfunc/_loam\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_script(root, places);
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

void fish_verb(const Verb& verb, const Verb& root, const std::string& condition, std::string& out) {
  for (const auto& inner : verb.verbs) {
    if (inner.summary.empty()) continue;
    out += format("complete -c loam -f -n {} -a {} -d {}\n", fish_quoted(condition),
                  fish_quoted(inner.name), fish_quoted(inner.summary));
  }
  for (const auto& argument : verb.arguments) {
    if (argument.meaning.empty()) continue;
    if (!argument.name.starts_with('-')) {
      if (const auto command = offer_command(argument.offer, root); !command.empty())
        out += format("complete -c loam -f -n {} -a {}\n", fish_quoted(condition),
                      fish_quoted(format("({})", command)));
      continue;
    }
    out += format("complete -c loam -n {}", fish_quoted(condition));
    for (const auto name : split(argument.name, ','))
      out += name.starts_with("--") ? format(" -l {}", name.substr(2))
                                    : format(" -s {}", name.substr(1));
    out += format("{} -d {}\n", argument.value.empty() ? "" : " -r", fish_quoted(argument.meaning));
  }
}

std::string fish_script(const Verb& root) {
  std::string out =
      "# Completion of loam for fish: loam completion fish > "
      "~/.config/fish/completions/loam.fish\n";
  fish_verb(root, root, "__fish_use_subcommand", out);
  for (const auto& verb : root.verbs)
    fish_verb(verb, root, "__fish_seen_subcommand_from " + verb.name, out);
  return out;
}

struct CompletionOptions {
  std::optional<std::string> shell;
};

}  // namespace

std::optional<std::string> completion_script(const Verb& root, std::string_view shell) {
  std::vector<Place> places;
  collect(root, root, "", places);
  if (shell == "bash") return bash_script(root, places);
  if (shell == "zsh") return zsh_script(root, places);
  if (shell == "fish") return fish_script(root);
  return std::nullopt;
}

Verb completion_verb() {
  const auto options = std::make_shared<CompletionOptions>();
  Verb verb;
  verb.name = "completion";
  verb.group = "Settings";
  verb.summary = "Prints a script that completes command lines in bash, zsh or fish";
  verb.examples = {
      "loam completion bash > ~/.local/share/bash-completion/completions/loam",
      "loam completion fish > ~/.config/fish/completions/loam.fish",
  };
  verb.arguments = {{"SHELL", "", &options->shell, "bash, zsh or fish.", true}};
  verb.run = [options](Invocation& invocation) -> Result<int> {
    const auto script = completion_script(invocation.root, *options->shell);
    if (!script)
      return fail(ErrorCode::kInvalidArgument,
                  format("completion: no script for {}", *options->shell),
                  "there are scripts for bash, zsh and fish");
    invocation.console.out(*script);
    return 0;
  };
  return verb;
}

}  // namespace loam::cli
