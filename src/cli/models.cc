// ls, show, cp, rm, ps, stop: the models that the node holds.
#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

constexpr std::size_t kIdCharacters = 12;  // as docker shows them

struct NameOptions {
  std::optional<std::string> name;
  std::vector<std::string> names;
  std::optional<std::string> to;
  bool template_only = false;
  bool licence_only = false;
};

/// A client of a node that runs; verbs that only look at models start one if they must.
Result<NodeClient> client_of(const Invocation& invocation) {
  return NodeClient(LOAM_TRY(ensure_node(invocation)));
}

std::string size_of(const codec::Value& model) {
  return human_bytes(static_cast<std::uint64_t>(integer_at(model, "bytes")));
}

/// What names it: of its adapter, if it has one.
std::string hash_of(const codec::Value& model) {
  const auto* adapter = model.find("adapter");
  return text_at(adapter == nullptr ? model : *adapter, "sha256");
}

Result<int> ls(Invocation& invocation) {
  const auto client = LOAM_TRY(client_of(invocation));
  const auto reply = LOAM_TRY(client.get("/loam/v1/models"));
  Console& console = invocation.console;
  std::vector<std::vector<std::string>> rows;
  for (const auto* model : items_at(reply, "models")) {
    if (invocation.globals.quiet) {
      console.line(text_at(*model, "name"));
    } else if (invocation.globals.json) {
      console.json(*model);
    } else {
      rows.push_back(
          {text_at(*model, "name"), hash_of(*model).substr(0, kIdCharacters), size_of(*model),
           relative_time(parse_time_ms(text_at(*model, "added_at")), invocation.clock.wall_ms())});
    }
  }
  if (invocation.globals.quiet || invocation.globals.json) return 0;
  console.out(format_table({"NAME", "ID", "SIZE", "MODIFIED"}, rows));
  if (rows.empty()) console.note("no model yet; fetch one with: loam pull SOURCE");
  return 0;
}

void print_model(Console& console, const codec::Value& model) {
  const auto row = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) console.line(format("  {:<16}{}", name, printable(value)));
  };
  const codec::Value none;
  const codec::Value* found = model.find("facts");
  const codec::Value& facts = found != nullptr ? *found : none;
  const auto number = [&](std::string_view name) {
    const auto value = integer_at(facts, name);
    return value == 0 ? std::string() : std::to_string(value);
  };
  console.line(console.bold_out("Model"));
  row("name", text_at(model, "name"));
  row("called", text_at(facts, "display_name"));
  row("architecture", text_at(facts, "architecture"));
  row("parameters", number("parameters"));
  row("quantisation", text_at(facts, "quantisation"));
  row("context", number("context"));
  row("width", number("embedding_width"));
  row("layers", number("layers"));
  row("chat template",
      text_at(facts, "chat_template").empty() ? "none" : "yes (show it with --template)");
  console.line(console.bold_out("File"));
  row("size", size_of(model));
  row("sha256", text_at(model, "sha256"));
  if (const auto* adapter = model.find("adapter")) row("adapter", text_at(*adapter, "sha256"));
  row("path", text_at(model, "path"));
  row("source", text_at(model, "source"));
  row("added", text_at(model, "added_at"));
  row("last loaded", text_at(model, "used_at"));
  console.line(console.bold_out("Licence"));
  row("licence", text_at(model, "licence"));
}

Result<int> show(Invocation& invocation, const NameOptions& options) {
  const auto client = LOAM_TRY(client_of(invocation));
  const auto model = LOAM_TRY(client.get(model_path(*options.name)));
  Console& console = invocation.console;
  const auto* facts = model.find("facts");
  const std::string text = facts != nullptr ? text_at(*facts, "chat_template") : "";
  if (options.template_only) {
    if (text.empty())
      return fail(ErrorCode::kNotFound, format("model {}: it has no chat template", *options.name));
    console.line(text);
  } else if (options.licence_only) {
    console.line(printable(text_at(model, "licence")));
  } else if (invocation.globals.json) {
    console.json(model);
  } else if (invocation.globals.quiet) {
    console.line(hash_of(model));
  } else {
    print_model(console, model);
  }
  return 0;
}

Result<int> cp(Invocation& invocation, const NameOptions& options) {
  const auto client = LOAM_TRY(client_of(invocation));
  codec::Value body;
  body.set("from", *options.name);
  body.set("to", *options.to);
  const auto model = LOAM_TRY(client.post("/loam/v1/models/copy", body));
  if (invocation.globals.json)
    invocation.console.json(model);
  else if (!invocation.globals.quiet)
    invocation.console.line(format("{} is now {} too", *options.name, text_at(model, "name")));
  return 0;
}

Result<int> rm(Invocation& invocation, const NameOptions& options) {
  const auto client = LOAM_TRY(client_of(invocation));
  for (const auto& name : options.names) {
    const auto removed = LOAM_TRY(client.remove(model_path(name)));
    if (invocation.globals.json)
      invocation.console.json(removed);
    else if (!invocation.globals.quiet)
      invocation.console.line(format("removed {}", name));
  }
  return 0;
}

std::string until_text(const codec::Value& model, std::int64_t now_ms) {
  if (integer_at(model, "running") + integer_at(model, "waiting") > 0) return "in use";
  const std::string until = text_at(model, "unloads_at");
  return until.empty() ? "for ever" : relative_time(parse_time_ms(until), now_ms);
}

Result<int> ps(Invocation& invocation) {
  // Nothing is loaded where no node runs: none is started for this question.
  const NodeClient client(LOAM_TRY(find_endpoint(invocation)));
  const auto reply = LOAM_TRY(client.get("/loam/v1/ps"));
  std::vector<std::vector<std::string>> rows;
  for (const auto* model : items_at(reply, "models")) {
    if (invocation.globals.quiet) {
      invocation.console.line(text_at(*model, "name"));
    } else if (invocation.globals.json) {
      invocation.console.json(*model);
    } else {
      rows.push_back({text_at(*model, "name"), size_of(*model),
                      std::to_string(integer_at(*model, "context")),
                      std::to_string(integer_at(*model, "running")),
                      std::to_string(integer_at(*model, "waiting")),
                      until_text(*model, invocation.clock.wall_ms())});
    }
  }
  if (!invocation.globals.quiet && !invocation.globals.json)
    invocation.console.out(
        format_table({"NAME", "SIZE", "CONTEXT", "RUNNING", "WAITING", "UNTIL"}, rows));
  return 0;
}

Result<int> stop(Invocation& invocation, const NameOptions& options) {
  const NodeClient client(LOAM_TRY(find_endpoint(invocation)));
  codec::Value body;
  body.set("model", *options.name);
  const auto reply = LOAM_TRY(client.post("/loam/v1/unload", body));
  if (invocation.globals.json)
    invocation.console.json(reply);
  else if (!invocation.globals.quiet)
    invocation.console.line(format("unloaded {}", *options.name));
  return 0;
}

Argument model_argument(std::optional<std::string>* target) {
  return {"MODEL", "", target, "A name of `loam ls`, or the begin of an ID.", true, Offer::kModels};
}

Verb models_group(std::string name, std::string summary) {
  Verb verb;
  verb.name = std::move(name);
  verb.group = "Models";
  verb.summary = std::move(summary);
  return verb;
}

}  // namespace

Verb ls_verb() {
  Verb verb = models_group("ls", "Lists the models on this node");
  verb.details = "With --json one object a line; with -q names only.";
  verb.examples = {"loam ls", "loam ls --json"};
  verb.run = ls;
  return verb;
}

Verb show_verb() {
  const auto options = std::make_shared<NameOptions>();
  Verb verb = models_group("show", "Shows what is known of a model");
  verb.examples = {"loam show smollm2", "loam show smollm2 --template"};
  verb.arguments = {model_argument(&options->name),
                    {"--template", "", &options->template_only, "Print its chat template only."},
                    {"--licence", "", &options->licence_only, "Print its licence only."}};
  verb.run = [options](Invocation& invocation) { return show(invocation, *options); };
  return verb;
}

Verb cp_verb() {
  const auto options = std::make_shared<NameOptions>();
  Verb verb = models_group("cp", "Gives a model a second name");
  verb.details = "Nothing is copied on the disk: both names mean one file.";
  verb.examples = {"loam cp smollm2 gpt-3.5-turbo"};
  verb.arguments = {model_argument(&options->name),
                    {"NAME", "", &options->to, "The second name.", true}};
  verb.run = [options](Invocation& invocation) { return cp(invocation, *options); };
  return verb;
}

Verb rm_verb() {
  const auto options = std::make_shared<NameOptions>();
  Verb verb = models_group("rm", "Removes models");
  verb.details =
      "The file goes with the last name that means it; a linked file (`loam pull --link`) stays.";
  verb.examples = {"loam rm smollm2"};
  verb.arguments = {{"MODEL", "", &options->names, "Names of `loam ls`.", true, Offer::kModels}};
  verb.run = [options](Invocation& invocation) { return rm(invocation, *options); };
  return verb;
}

Verb ps_verb() {
  Verb verb = models_group("ps", "Lists the models in memory");
  verb.details = "With --json one object a line; with -q names only.";
  verb.examples = {"loam ps"};
  verb.run = ps;
  return verb;
}

Verb stop_verb() {
  const auto options = std::make_shared<NameOptions>();
  Verb verb = models_group("stop", "Unloads a model from memory");
  verb.details = "Running answers are completed first; the next request loads it again.";
  verb.examples = {"loam stop smollm2"};
  verb.arguments = {model_argument(&options->name)};
  verb.run = [options](Invocation& invocation) { return stop(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
