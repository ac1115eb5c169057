// key: who else may use the node.
#include <memory>

#include "base/format.h"
#include "cli/key_store.h"
#include "cli/node_client.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace loam::cli {
namespace {

struct KeyOptions {
  std::optional<std::string> label;
  std::optional<std::string> scopes;
  std::vector<std::string> ids;
};

std::string scopes_of(const codec::Value& key) {
  std::string out;
  const auto* scopes = key.find("scopes");
  if (scopes == nullptr || scopes->as_array() == nullptr) return out;
  for (const auto& scope : *scopes->as_array())
    if (scope.as_string() != nullptr) out += (out.empty() ? "" : ",") + *scope.as_string();
  return out;
}

Result<int> key_new(Invocation& invocation, const KeyOptions& options) {
  const auto store = LOAM_TRY(KeyStore::open(invocation));
  const auto key =
      LOAM_TRY(store->create(options.label.value_or(""), options.scopes.value_or("infer")));
  if (invocation.globals.json) {
    codec::Value value;
    for (const auto& [name, member] : *key.as_object())
      value.set(name == "key" ? "secret" : name, member);
    invocation.console.json(value);
    return 0;
  }
  invocation.console.line(text_at(key, "key"));
  invocation.console.note(format("{} with scope {}; it is shown this once and cannot be read again",
                                 text_at(key, "id"), scopes_of(key)));
  return 0;
}

std::string used_text(const Invocation& invocation, const codec::Value& key) {
  const std::string used = text_at(key, "used_at");
  return used.empty() ? "never" : relative_time(parse_time_ms(used), invocation.clock.wall_ms());
}

Result<int> key_ls(Invocation& invocation) {
  const auto store = LOAM_TRY(KeyStore::open(invocation));
  const auto keys = LOAM_TRY(store->list());
  std::vector<std::vector<std::string>> rows;
  for (const auto& key : keys) {
    if (invocation.globals.quiet)
      invocation.console.line(text_at(key, "id"));
    else if (invocation.globals.json)
      invocation.console.json(key);
    else
      rows.push_back({text_at(key, "id"), scopes_of(key), used_text(invocation, key),
                      printable(text_at(key, "label"))});
  }
  if (!invocation.globals.quiet && !invocation.globals.json)
    invocation.console.out(format_table({"ID", "SCOPES", "USED", "LABEL"}, rows));
  return 0;
}

Result<int> key_show(Invocation& invocation, const KeyOptions& options) {
  const auto store = LOAM_TRY(KeyStore::open(invocation));
  const auto keys = LOAM_TRY(store->list());
  for (const auto& key : keys) {
    if (text_at(key, "id") != options.ids.front()) continue;
    if (invocation.globals.json) {
      invocation.console.json(key);
      return 0;
    }
    for (const auto& [name, value] : {std::pair{"id", text_at(key, "id")},
                                      {"label", printable(text_at(key, "label"))},
                                      {"scopes", scopes_of(key)},
                                      {"created", text_at(key, "created_at")},
                                      {"used", used_text(invocation, key)}})
      invocation.console.line(format("{:<9}{}", name, value));
    return 0;
  }
  return fail(ErrorCode::kNotFound, format("key {}: there is none of this id", options.ids.front()),
              "`loam key ls` lists them");
}

Result<int> key_revoke(Invocation& invocation, const KeyOptions& options) {
  const auto store = LOAM_TRY(KeyStore::open(invocation));
  for (const auto& id : options.ids) {
    const auto reply = LOAM_TRY(store->revoke(id));
    if (invocation.globals.json)
      invocation.console.json(reply);
    else if (!invocation.globals.quiet)
      invocation.console.line(format("revoked {}", id));
  }
  return 0;
}

}  // namespace

Verb key_verb() {
  const auto options = std::make_shared<KeyOptions>();
  Verb verb;
  verb.name = "key";
  verb.group = "Settings";
  verb.summary = "Makes, lists and revokes API keys";
  verb.details =
      "On this machine inference needs no key. Programs on other machines do (and the node must "
      "listen off loopback for them, see the setting listen).";
  verb.examples = {"loam key new forum", "loam key ls"};

  Verb make = inner_verb("new", "Makes a key and prints its secret, this once",
                         {"loam key new forum", "loam key new bot --scopes infer,publish"});
  make.arguments = {
      {"LABEL", "", &options->label, "What it is for."},
      {"--scopes", "LIST", &options->scopes, "infer, publish, admin; infer if nothing is said."}};
  make.run = [options](Invocation& invocation) { return key_new(invocation, *options); };

  Verb list = inner_verb("ls", "Lists the keys, without their secrets", {"loam key ls --json"});
  list.run = key_ls;

  Verb show = inner_verb("show", "Shows one key, without its secret", {"loam key show key_abc"});
  show.arguments = {{"ID", "", &options->ids, "An ID of `loam key ls`.", true}};
  show.run = [options](Invocation& invocation) { return key_show(invocation, *options); };

  Verb revoke = inner_verb("revoke", "Makes keys worthless at once", {"loam key revoke key_abc"});
  revoke.arguments = {{"ID", "", &options->ids, "IDs of `loam key ls`.", true}};
  revoke.run = [options](Invocation& invocation) { return key_revoke(invocation, *options); };

  verb.verbs = {make, list, show, revoke};
  return verb;
}

}  // namespace loam::cli
