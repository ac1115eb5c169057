// config: the settings, where they come from, and changing them.
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "base/format.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "node/presence.h"

namespace loam::cli {
namespace {

struct ConfigOptions {
  std::optional<std::string> name;
  std::optional<std::string> value;
  bool markdown = false;
};

std::string origin_of(const node::LoadedConfig& loaded, const node::Setting& setting) {
  const auto found = loaded.origins.find(setting.path);
  return found == loaded.origins.end() ? "default" : found->second;
}

codec::Value setting_value(const node::LoadedConfig& loaded, const node::Setting& setting) {
  codec::Value value;
  value.set("setting", setting.path);
  value.set("value", node::value_text(setting, loaded.config));
  value.set("default", node::value_text(setting, node::Config{}));
  value.set("unit", setting.unit);
  value.set("origin", origin_of(loaded, setting));
  value.set("variable", node::variable_name(setting));
  value.set("meaning", setting.meaning);
  return value;
}

Result<int> config_table(Invocation& invocation, const ConfigOptions& options) {
  if (options.markdown) {
    invocation.console.out(node::config_markdown());
    return 0;
  }
  const auto loaded = LOAM_TRY(config_of(invocation));
  std::vector<std::vector<std::string>> rows;
  for (const auto& setting : node::settings()) {
    if (invocation.globals.quiet)
      invocation.console.line(setting.path);
    else if (invocation.globals.json)
      invocation.console.json(setting_value(loaded, setting));
    else
      rows.push_back({std::string(setting.path), node::value_text(setting, loaded.config),
                      std::string(setting.unit), origin_of(loaded, setting),
                      std::string(setting.meaning)});
  }
  if (!rows.empty())
    invocation.console.out(format_table({"SETTING", "VALUE", "UNIT", "FROM", "MEANING"}, rows));
  return 0;
}

Result<int> config_get(Invocation& invocation, const ConfigOptions& options) {
  const auto* setting = LOAM_TRY(node::find_setting(*options.name));
  const auto loaded = LOAM_TRY(config_of(invocation));
  if (invocation.globals.json)
    invocation.console.json(setting_value(loaded, *setting));
  else
    invocation.console.line(node::value_text(*setting, loaded.config));
  return 0;
}

env::Path user_file(const env::Folders& folders) { return folders.config / "config.toml"; }

Result<int> config_set(Invocation& invocation, const ConfigOptions& options) {
  const auto* setting = LOAM_TRY(node::find_setting(*options.name));
  node::Config config;
  LOAM_TRY(node::set_from_text(config, *setting, *options.value));
  const auto folders = LOAM_TRY(folders_of(invocation));
  const env::Path file = user_file(folders);
  const auto old = env::read_file(file, 1U << 20);
  if (!old && old.error().code != ErrorCode::kNotFound) return std::unexpected(old.error());
  const std::string text =
      LOAM_TRY(node::edit_config_text(old ? *old : std::string(), *setting, config));
  LOAM_TRY(env::make_folder(file.parent_path()));
  LOAM_TRY(env::write_file_atomic(file, text, 0600));
  invocation.console.note(
      format("{} = {} in {}", setting->path, node::toml_text(*setting, config), file.string()));
  if (const auto loaded = config_of(invocation);
      loaded && origin_of(*loaded, *setting).find(file.string()) == std::string::npos)
    invocation.console.warn(format("loam: {} is still {}, set by {}", setting->path,
                                   node::value_text(*setting, loaded->config),
                                   origin_of(*loaded, *setting)));
  if (node::find_running(folders))
    invocation.console.note("a running node takes it up at its next start (loam down; loam up)");
  return 0;
}

Result<int> config_path(Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  const std::pair<const char*, env::Path> places[] = {{"config", user_file(folders)},
                                                      {"token", node::token_file(folders)},
                                                      {"data", folders.data},
                                                      {"state", folders.state},
                                                      {"cache", folders.cache},
                                                      {"runtime", folders.runtime},
                                                      {"system", "/etc/loam/config.toml"}};
  codec::Value value;
  for (const auto& [name, path] : places) {
    if (invocation.globals.json)
      value.set(name, path.string());
    else
      invocation.console.line(format("{:<8} {}", name, path.string()));
  }
  if (invocation.globals.json) invocation.console.json(value);
  return 0;
}

/// The person's editor, as a shell would start it: EDITOR may hold options.
Result<int> config_edit(Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  const env::Path file = user_file(folders);
  LOAM_TRY(env::make_folder(file.parent_path()));
  if (const auto there = env::stamp(file); !there) {
    std::string text = "# Settings of Loam; `loam config` explains each. What is set here is:\n";
    for (const auto& setting : node::settings())
      text += format("# {} = {}\n", setting.path, node::toml_text(setting, node::Config{}));
    LOAM_TRY(env::write_file_atomic(file, text, 0600));
  }
  const auto visual = env::variable("VISUAL");
  const auto editor = visual ? visual : env::variable("EDITOR");
  std::string quoted = "'";
  for (const char c : file.string()) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): this verb has one thread
  const int status = std::system(format("{} {}'", editor.value_or("vi"), quoted).c_str());
  if (status != 0)
    return fail(ErrorCode::kInternal,
                format("edit {}: {} did not end well", file.string(), editor.value_or("vi")),
                "set EDITOR to an editor that you have");
  LOAM_TRY(config_of(invocation));  // says what is wrong while it is fresh
  return 0;
}

}  // namespace

Verb config_verb() {
  const auto options = std::make_shared<ConfigOptions>();
  Verb verb;
  verb.name = "config";
  verb.group = "Settings";
  verb.summary = "Shows and changes settings";
  verb.details =
      "Without a verb: a table of all settings with value and origin. A flag (--set) stands above "
      "the environment (LOAM_...), that above ./loam.toml, your own config.toml and "
      "/etc/loam/config.toml.";
  verb.examples = {"loam config", "loam config set keep_alive 1h", "loam config get listen"};
  verb.arguments = {
      {"--markdown", "", &options->markdown, "The table as Markdown, defaults only."}};
  verb.run = [options](Invocation& invocation) { return config_table(invocation, *options); };

  Verb get = inner_verb("get", "Prints the value of a setting", {"loam config get load.context"});
  get.arguments = {
      {"SETTING", "", &options->name, "A name of `loam config`.", true, Offer::kSettings}};
  get.run = [options](Invocation& invocation) { return config_get(invocation, *options); };

  Verb set = inner_verb("set", "Writes a setting to your config.toml",
                        {"loam config set load.context 8192"});
  set.details = "Comments and order of the file are kept.";
  set.arguments = {
      {"SETTING", "", &options->name, "A name of `loam config`.", true, Offer::kSettings},
      {"VALUE", "", &options->value, "Its value; lists as words between commas.", true}};
  set.run = [options](Invocation& invocation) { return config_set(invocation, *options); };

  Verb path = inner_verb("path", "Lists the files and folders of the node", {"loam config path"});
  path.run = config_path;
  Verb edit =
      inner_verb("edit", "Opens your config.toml in VISUAL or EDITOR", {"loam config edit"});
  edit.run = config_edit;
  verb.verbs = {get, set, path, edit};
  return verb;
}

}  // namespace loam::cli
