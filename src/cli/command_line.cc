#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/parse.h"

namespace loam::cli {
namespace {

/// The values of one argument as they were typed, converted once parsing is over: by our own
/// parsers, since CLI11's depend on the locale.
struct Typed {
  const Argument* argument;
  CLI::App* app;
  std::vector<std::string> words;
  bool flag = false;
};

class Builder {
 public:
  Builder(const Verb& root, CLI::App& app) : root_(root) { build(root, app); }

  const std::vector<std::unique_ptr<Typed>>& typed() const { return typed_; }

 private:
  void build(const Verb& verb, CLI::App& app) {
    app.set_help_flag("-h,--help");
    app.allow_extras();
    for (const auto& argument : verb.arguments) add(app, argument);
    if (&verb != &root_)
      for (const auto& argument : root_.arguments) add(app, argument);
    for (const auto& inner : verb.verbs) build(inner, *app.add_subcommand(inner.name));
    app.require_subcommand(0, verb.verbs.empty() ? 0 : 1);
  }

  void add(CLI::App& app, const Argument& argument) {
    typed_.push_back(std::make_unique<Typed>(Typed{&argument, &app, {}, false}));
    Typed& typed = *typed_.back();
    if (std::holds_alternative<bool*>(argument.target)) {
      app.add_flag(argument.name, typed.flag);
      return;
    }
    CLI::Option* option = app.add_option(argument.name, typed.words);
    const bool many = std::holds_alternative<std::vector<std::string>*>(argument.target);
    const bool positional = !argument.name.starts_with('-');
    option->allow_extra_args(positional && many);
    if (positional && many) option->expected(argument.required ? 1 : 0, -1);
    if (positional && !many) option->expected(1);
    if (argument.required) option->required();
  }

  const Verb& root_;
  std::vector<std::unique_ptr<Typed>> typed_;
};

Error wrong(const Argument& argument, const std::string& word, std::string_view expected) {
  return {ErrorCode::kInvalidArgument, format("{} {}: expected {}", argument.name, word, expected),
          ""};
}

Result<> convert(const Typed& typed) {
  const Argument& argument = *typed.argument;
  if (auto* const* target = std::get_if<bool*>(&argument.target)) {
    if (typed.flag) **target = true;
    return {};
  }
  if (typed.words.empty()) return {};
  const std::string& word = typed.words.front();
  if (auto* const* target = std::get_if<std::vector<std::string>*>(&argument.target)) {
    (*target)->insert((*target)->end(), typed.words.begin(), typed.words.end());
    return {};
  }
  if (typed.words.size() > 1)
    return fail(ErrorCode::kInvalidArgument, format("{}: given more than once", argument.name));
  if (auto* const* target = std::get_if<std::optional<std::string>*>(&argument.target)) {
    **target = word;
  } else if (auto* const* number = std::get_if<std::optional<double>*>(&argument.target)) {
    **number = parse_number(word);
    if (!**number) return std::unexpected(wrong(argument, word, "a number"));
  } else if (auto* const* integer = std::get_if<std::optional<std::int64_t>*>(&argument.target)) {
    **integer = parse_int(word);
    if (!**integer) return std::unexpected(wrong(argument, word, "a whole number"));
  }
  return {};
}

/// What the person may have meant by a word that nothing here takes.
std::string suggestion(const Verb& root, const Verb& verb, const std::string& word) {
  std::vector<std::string> candidates;
  for (const auto& inner : verb.verbs) candidates.push_back(inner.name);
  for (const auto* arguments : {&verb.arguments, &root.arguments})
    for (const auto& argument : *arguments)
      for (const auto name : split(argument.name, ','))
        if (name.starts_with("--")) candidates.emplace_back(name);
  const auto close = nearest(word.substr(0, word.find('=')), candidates);
  return close ? format("did you mean {}?", *close) : "";
}

/// How an error names the verb: "run" of "loam run", nothing for the program itself.
std::string prefix_of(const Parsed& parsed) {
  const auto space = parsed.path.find(' ');
  return space == std::string::npos ? "" : parsed.path.substr(space + 1) + ": ";
}

Error unexpected_word(const Verb& root, const Parsed& parsed, const std::string& word) {
  const bool verb = !parsed.verb->verbs.empty() && !word.starts_with('-');
  const bool option = word.starts_with('-');
  std::string hint = suggestion(root, *parsed.verb, word);
  if (hint.empty())
    hint = parsed.verb == &root ? "`loam help` lists the verbs"
                                : format("`{} --help` explains it", parsed.path);
  return {ErrorCode::kInvalidArgument,
          format("{}{} {}", prefix_of(parsed),
                 verb     ? "no verb"
                 : option ? "no option"
                          : "one word too many:",
                 word),
          std::move(hint)};
}

/// The verb that was named, as far as the words went.
Parsed named_verb(const Verb& root, const CLI::App& app, std::vector<const CLI::App*>& chain) {
  Parsed out{&root, root.name, false};
  const CLI::App* at = &app;
  chain.push_back(at);
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    chain.push_back(at);
    out.verb = &*std::ranges::find(out.verb->verbs, at->get_name(), &Verb::name);
    out.path += " " + at->get_name();
  }
  return out;
}

/// Gives `words` to the argument of the verb that takes any number.
Result<> add_words(const Verb& root, const Parsed& parsed, const std::vector<std::string>& words) {
  for (const auto& argument : parsed.verb->arguments)
    if (auto* const* target = std::get_if<std::vector<std::string>*>(&argument.target);
        target != nullptr && !argument.name.starts_with('-')) {
      (*target)->insert((*target)->end(), words.begin(), words.end());
      return {};
    }
  if (words.empty()) return {};
  return std::unexpected(unexpected_word(root, parsed, words.front()));
}

}  // namespace

Result<Parsed> parse_command_line(const Verb& root, const std::vector<std::string>& arguments) {
  CLI::App app(root.summary, root.name);
  const Builder builder(root, app);
  std::vector<const CLI::App*> chain;
  // What stands behind "--" is text, even where it looks like an option. CLI11 would hand it to the
  // program instead of the verb.
  const auto dashes = std::ranges::find(arguments, "--");
  try {
    std::vector<std::string> reversed(arguments.begin(), dashes);
    std::ranges::reverse(reversed);
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    Parsed parsed = named_verb(root, app, chain);
    parsed.help = true;
    return parsed;
  } catch (const CLI::ParseError& error) {
    const Parsed parsed = named_verb(root, app, chain);
    return fail(ErrorCode::kInvalidArgument, format("{}{}", prefix_of(parsed), error.what()),
                "usage: " + usage_line(*parsed.verb, parsed.path));
  }
  Parsed parsed = named_verb(root, app, chain);
  for (const auto* level : chain)
    if (const auto extra = level->remaining(); !extra.empty())
      return std::unexpected(unexpected_word(root, parsed, extra.front()));
  for (const auto& typed : builder.typed())
    if (std::ranges::find(chain, typed->app) != chain.end()) LOAM_TRY(convert(*typed));
  if (dashes != arguments.end()) LOAM_TRY(add_words(root, parsed, {dashes + 1, arguments.end()}));
  return parsed;
}

}  // namespace loam::cli
