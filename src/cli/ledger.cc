// ledger: reading, checking and handing on the node's own log.
#include <algorithm>
#include <memory>

#include "base/format.h"
#include "cli/background.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/ledger_search.h"
#include "cli/own_log.h"
#include "cli/resume.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "commons/copies.h"
#include "http/message.h"
#include "ledger/verify.h"

namespace loam::cli {
namespace {

constexpr std::size_t kIdCharacters = 14;  // "loam1" and nine more
constexpr std::size_t kMissingShown = 5;   // with --json all

struct LedgerOptions {
  std::optional<std::string> record, folder;
  std::optional<std::int64_t> count;
  bool undo = false;
};

Result<int> log(Invocation& invocation, const LedgerOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply =
      LOAM_TRY(client.get(format("/loam/v1/records?limit={}", options.count.value_or(20))));
  std::vector<std::vector<std::string>> rows;
  for (const codec::Value* record : items_at(reply, "records")) {
    if (invocation.globals.json) {
      invocation.console.json(*record);
    } else if (invocation.globals.quiet) {
      invocation.console.line(text_at(*record, "id"));
    } else {
      const auto* refs = record->find("refs");
      const bool refers =
          refs != nullptr && refs->as_array() != nullptr && !refs->as_array()->empty();
      const std::string target =
          refers ? refs->as_array()->front().as_string()->substr(0, kIdCharacters) : "";
      std::string what = text_at(*record, "kind");
      if (const std::string vote = text_at(*record, "vote"); !vote.empty()) what += " " + vote;
      if (flag_at(*record, "retracted")) what += " (retracted)";
      if (flag_at(*record, "blocked")) what += " (blocked)";
      rows.push_back({std::to_string(integer_at(*record, "index")), text_at(*record, "id"), what,
                      target, text_at(*record, "time")});
    }
  }
  if (!invocation.globals.json && !invocation.globals.quiet)
    invocation.console.out(format_table({"INDEX", "ID", "KIND", "OF", "TIME"}, rows));
  return 0;
}

Result<int> show(Invocation& invocation, const LedgerOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto record =
      LOAM_TRY(client.get("/loam/v1/records/" + http::percent_encode(*options.record)));
  Console& console = invocation.console;
  if (invocation.globals.json) {
    console.json(record);
    return 0;
  }
  for (const char* name : {"id", "kind", "author", "log", "time", "licence", "vote"})
    if (const std::string text = text_at(record, name); !text.empty())
      console.line(format("{:<9}{}", name, text));
  console.line(format("{:<9}{}", "index", integer_at(record, "index")));
  if (const codec::Value* body = record.find("body")) {
    for (const codec::Value* message : items_at(*body, "messages")) {
      console.line(format("{} (written by: {})", printable(text_at(*message, "role")),
                          text_at(*message, "origin")));
      console.out(wrap(printable(text_at(*message, "content")), 96, 2) + "\n");
    }
  } else if (flag_at(record, "retracted")) {
    console.line("its text was retracted and erased");
  }
  for (const codec::Value* other : items_at(record, "referred_to_by"))
    console.line(format("{:<11}{} {}", text_at(*other, "kind"), text_at(*other, "id"),
                        text_at(*other, "vote")));
  return 0;
}

Result<int> head(Invocation& invocation) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto reply = LOAM_TRY(client.get("/loam/v1/log"));
  if (invocation.globals.json) {
    invocation.console.json(reply);
    return 0;
  }
  invocation.console.line(format("records   {} ({} published)", integer_at(reply, "size"),
                                 integer_at(reply, "published")));
  for (const auto& [name, member] :
       {std::pair{"origin", "origin"}, {"key", "verifier_key"}, {"author", "author"}})
    invocation.console.line(format("{:<10}{}", name, text_at(reply, member)));
  if (const std::string why = text_at(reply, "stopped"); !why.empty())
    invocation.console.out(wrap("signs nothing: " + printable(why), 96, 0) + "\n");
  return 0;
}

void show_verified(Console& console, const ledger::Verified& verified) {
  for (const std::string& fault : verified.faults) console.line(fault);
  for (std::size_t i = 0; i < std::min(verified.missing.size(), kMissingShown); ++i)
    console.line(format("record {}: its text is lost; nobody retracted it",
                        ledger::to_text(verified.missing[i])));
  if (verified.missing.size() > kMissingShown)
    console.line(format("{} texts are lost; --json names all", verified.missing.size()));
  console.line(format("{}: {}, {} with text, {} erased, root {}",
                      verified.faults.empty() ? "verified" : "DAMAGED",
                      counted(verified.records, "record"), verified.bodies, verified.erased,
                      crypto::digest_hex(verified.checkpoint.root).substr(0, 16)));
}

Result<int> verify(Invocation& invocation) {
  const OwnLog own = LOAM_TRY(open_own_log(invocation));
  const InterruptGuard guard;
  const auto verified = LOAM_TRY(ledger::verify_log(
      own.folder, own.key, ledger::kPublicNet, own.storage.get(),
      [&](std::uint64_t done, std::uint64_t of) {
        invocation.console.progress(done < of ? format("verifying record {} of {}", done, of) : "");
        return !InterruptGuard::interrupted();
      }));
  Console& console = invocation.console;
  if (invocation.globals.json) {
    codec::Array faults, missing;
    for (const std::string& fault : verified.faults) faults.emplace_back(fault);
    for (const ledger::RecordId& id : verified.missing) missing.emplace_back(ledger::to_text(id));
    console.json(codec::Object{{"origin", verified.checkpoint.origin},
                               {"size", verified.checkpoint.size},
                               {"root", crypto::digest_hex(verified.checkpoint.root)},
                               {"records", verified.records},
                               {"bodies", verified.bodies},
                               {"erased", verified.erased},
                               {"missing", std::move(missing)},
                               {"faults", std::move(faults)}});
  } else {
    show_verified(console, verified);
  }
  return verified.faults.empty() ? 0 : kVerificationFailed;
}

Result<int> export_to(Invocation& invocation, const LedgerOptions& options) {
  const OwnLog own = LOAM_TRY(open_own_log(invocation));
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  LOAM_TRY(commons::Copies::of(folders).remember(*options.folder));
  const auto written =
      LOAM_TRY(ledger::export_log(own.folder, own.key, *own.storage, *options.folder));
  if (invocation.globals.json)
    invocation.console.json(codec::Object{{"folder", *options.folder}, {"written", written}});
  else if (!invocation.globals.quiet)
    invocation.console.line(
        format("{} written to {}; serve it as /log/", counted(written, "file"), *options.folder));
  return 0;
}

Result<int> block(Invocation& invocation, const LedgerOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto done = LOAM_TRY(
      client.post(format("/loam/v1/records/{}/block", http::percent_encode(*options.record)),
                  codec::Object{{"blocked", !options.undo}}));
  if (invocation.globals.json)
    invocation.console.json(done);
  else if (!invocation.globals.quiet)
    invocation.console.line(
        format("{} {}", options.undo ? "served again:" : "no longer served:", *options.record));
  return 0;
}

}  // namespace

Verb ledger_verb() {
  const auto options = std::make_shared<LedgerOptions>();
  Verb verb;
  verb.name = "ledger";
  verb.group = "Open record";
  verb.summary = "Reads, checks and hands on this node's log";
  verb.examples = {"loam ledger log", "loam ledger verify", "loam ledger export /srv/www/log"};

  Verb list = inner_verb("log", "Lists the newest records", {"loam ledger log -n 5"});
  list.arguments = {{"-n,--count", "N", &options->count, "How many; 20 if nothing is said."}};
  list.run = [options](Invocation& invocation) { return log(invocation, *options); };
  Verb one = inner_verb("show", "Shows a record, its text, and what refers to it",
                        {"loam ledger show RECORD"});
  one.arguments = {{"RECORD", "", &options->record, "ID of a record.", true}};
  one.run = [options](Invocation& invocation) { return show(invocation, *options); };
  Verb state =
      inner_verb("head", "Shows the log's size, name and keys", {"loam ledger head --json"});
  state.run = head;
  Verb check =
      inner_verb("verify", "Checks every byte of the log's files and of the database beside them",
                 {"loam ledger verify"});
  check.run = verify;
  Verb copy = inner_verb("export", "Writes a copy that any web server can serve",
                         {"loam ledger export DIR"});
  copy.arguments = {{"DIR", "", &options->folder, "Folder to write to; what it has already stays.",
                     true, Offer::kFiles}};
  copy.run = [options](Invocation& invocation) { return export_to(invocation, *options); };
  Verb hide = inner_verb("block", "Stops serving a record's text, without breaking proofs",
                         {"loam ledger block RECORD"});
  hide.arguments = {{"RECORD", "", &options->record, "ID of a record.", true},
                    {"--undo", "", &options->undo, "Serve it again."}};
  hide.run = [options](Invocation& invocation) { return block(invocation, *options); };
  verb.verbs = {list, one, ledger_search_verb(), state, check, copy, hide, resume_verb()};
  return verb;
}

}  // namespace loam::cli
