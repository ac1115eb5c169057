// follow: the logs of others that this node reads, checks and searches.
#include <memory>

#include "base/format.h"
#include "cli/background.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "http/message.h"

namespace loam::cli {
namespace {

struct FollowOptions {
  std::optional<std::string> log, key;
};

Result<int> add(Invocation& invocation, const FollowOptions& options) {
  if (!options.key)
    return fail(
        ErrorCode::kInvalidArgument, "follow add: --key is missing",
        "the log's owner has it from `loam ledger head`; it is never taken from the log itself");
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto added = LOAM_TRY(
      client.post("/loam/v1/follow", codec::Object{{"url", *options.log}, {"key", *options.key}}));
  if (invocation.globals.json) {
    invocation.console.json(added);
  } else if (invocation.globals.quiet) {
    invocation.console.line(text_at(added, "id"));
  } else {
    invocation.console.line(format("following {} as {}", *options.log, text_at(added, "id")));
    invocation.console.note("`loam follow ls` shows how far it is.");
  }
  return 0;
}

std::string state_of(const codec::Value& log) {
  const std::string state = text_at(log, "state");
  const std::int64_t behind = integer_at(log, "behind");
  return behind > 0 ? format("{}, {} behind", state, behind) : state;
}

Result<int> ls(Invocation& invocation) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply = LOAM_TRY(client.get("/loam/v1/follow"));
  Console& console = invocation.console;
  std::vector<std::vector<std::string>> rows;
  for (const codec::Value* log : items_at(reply, "logs")) {
    if (invocation.globals.json)
      console.json(*log);
    else if (invocation.globals.quiet)
      console.line(text_at(*log, "id"));
    else
      rows.push_back({text_at(*log, "id"), printable(text_at(*log, "url")), state_of(*log),
                      std::to_string(integer_at(*log, "records")), text_at(*log, "polled_at")});
  }
  if (invocation.globals.json || invocation.globals.quiet) return 0;
  console.out(format_table({"ID", "URL", "STATE", "RECORDS", "POLLED"}, rows));
  for (const codec::Value* log : items_at(reply, "logs")) {
    if (const std::string trouble = text_at(*log, "trouble"); !trouble.empty())
      console.line(format("{}: {}", text_at(*log, "id"), printable(trouble)));
    if (const std::string evidence = text_at(*log, "evidence"); !evidence.empty())
      console.line(format("{}: both checkpoints are in {}", text_at(*log, "id"), evidence));
  }
  if (flag_at(reply, "offline")) console.note("This node is offline: no log is read.");
  return 0;
}

/// The id of the log that is meant by its id or its URL.
Result<std::string> find_id(const NodeClient& client, const std::string& name) {
  const auto reply = LOAM_TRY(client.get("/loam/v1/follow"));
  std::string found;
  for (const codec::Value* log : items_at(reply, "logs")) {
    if (text_at(*log, "id") != name && text_at(*log, "url") != name) continue;
    if (!found.empty())
      return fail(ErrorCode::kInvalidArgument, format("follow rm: {} names several logs", name),
                  "loam follow ls shows their ids");
    found = text_at(*log, "id");
  }
  if (found.empty())
    return fail(ErrorCode::kNotFound, format("follow rm: {} is not followed", name),
                "loam follow ls");
  return found;
}

Result<int> rm(Invocation& invocation, const FollowOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const std::string id = LOAM_TRY(find_id(client, *options.log));
  const auto removed = LOAM_TRY(client.remove("/loam/v1/follow/" + http::percent_encode(id)));
  if (invocation.globals.json)
    invocation.console.json(removed);
  else if (!invocation.globals.quiet)
    invocation.console.line(format("no longer followed, and deleted here: {}", *options.log));
  return 0;
}

}  // namespace

Verb follow_verb() {
  const auto options = std::make_shared<FollowOptions>();
  Verb verb;
  verb.name = "follow";
  verb.group = "Open record";
  verb.summary = "Reads the logs of others: checked, kept and searched here";
  verb.examples = {"loam follow add https://example.org/log --key KEY", "loam follow ls"};
  Verb more = inner_verb("add", "Follows a log from now on",
                         {"loam follow add https://example.org/log --key KEY"});
  more.details =
      "Whoever runs the log gives you its key in a way that you trust. A log that shrinks, forks "
      "or "
      "is signed by another key is refused from then on, and both checkpoints are kept as "
      "evidence.";
  more.arguments = {
      {"URL", "", &options->log, "Where the log's checkpoint lies, without its name.", true},
      {"--key", "KEY", &options->key, "The log's verifier key, as `loam ledger head` prints it."}};
  more.run = [options](Invocation& invocation) { return add(invocation, *options); };
  Verb list = inner_verb("ls", "Lists what is followed, how far it is, and what is wrong with it",
                         {"loam follow ls --json"});
  list.run = ls;
  Verb remove = inner_verb("rm", "Follows a log no longer, and deletes what was kept of it",
                           {"loam follow rm https://example.org/log"});
  remove.arguments = {{"LOG", "", &options->log, "Its ID or its URL.", true}};
  remove.run = [options](Invocation& invocation) { return rm(invocation, *options); };
  verb.verbs = {more, list, remove};
  return verb;
}

}  // namespace loam::cli
