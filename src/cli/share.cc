// share, rate, edit, retract: what the owner puts into the open record, and takes out again.
#include "cli/share.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/standard_input.h"
#include "cli/table.h"
#include "cli/typed_text.h"
#include "cli/verbs.h"
#include "http/message.h"
#include "ledger/record_id.h"

namespace loam::cli {
namespace {

struct ShareOptions {
  std::optional<std::string> answer;
  std::optional<std::string> licence, scope, cancel;
  bool preview = false, now = false;
};

ShareTerms terms_of(const ShareOptions& options) {
  ShareTerms out;
  out.answer = options.answer;
  if (options.licence) out.licence = *options.licence;
  if (options.scope) out.scope = *options.scope;
  out.now = options.now;
  return out;
}

struct RecordOptions {
  std::optional<std::string> record, word, reason, key;
  std::vector<std::string> text;
  bool preview = false, now = false;
};

std::string path_of(std::string_view base, std::string_view id, std::string_view verb = "") {
  return format("{}/{}{}", base, http::percent_encode(id), verb);
}

/// "chatcmpl-...#2" names the third of several answers.
std::int64_t choice_of(std::string_view answer, std::size_t hash) {
  return parse_int(answer.substr(hash + 1)).value_or(-1);
}

codec::Value request_of(const ShareTerms& terms) {
  codec::Value out = codec::Object{{"licence", terms.licence}, {"scope", words_of(terms.scope)}};
  if (terms.answer) {
    const std::size_t hash = terms.answer->find('#');
    out.set("answer", terms.answer->substr(0, hash));
    if (hash != std::string::npos) out.set("choice", choice_of(*terms.answer, hash));
  }
  return out;
}

/// What may become public: an answer as it is, or an edit.
struct Publication {
  std::string route;
  codec::Value request;
  bool now = false;
};

Result<codec::Value> preview_of(const NodeClient& client, const Publication& what) {
  codec::Value asked = what.request;
  asked.set("preview", true);
  return client.post(what.route, asked);
}

Result<int> only_preview(Console& console, const NodeClient& client, const Publication& what) {
  const auto preview = LOAM_TRY(preview_of(client, what));
  if (console.options().json)
    console.json(preview);
  else
    console.out(preview_text(preview));
  return 0;
}

/// Whoever published is told that nobody can read it yet, if so: at a terminal, and in a script's
/// log. DESIGN.md 8.9.
void warn_if_unreachable(Console& console, const NodeClient& client) {
  const auto log = client.get("/loam/v1/log");
  if (!log || flag_at(*log, "public")) return;
  console.warn(
      "Recorded here only: no other machine can read this node's log (public_listen, or loam "
      "ledger export, opens it).");
}

void print_submission(Console& console, env::Clock& clock, const NodeClient& client,
                      const codec::Value& submission) {
  const std::string id = text_at(submission, "submission");
  const std::string record = text_at(submission, "record");
  if (console.options().json) {
    console.json(submission);
  } else if (console.options().quiet) {
    console.line(record.empty() ? id : record);
  } else if (!record.empty()) {
    console.line(format("published as {}", record));
  } else {
    console.line(
        format("{} is queued; it is published {}", id,
               relative_time(parse_time_ms(text_at(submission, "publishes_at")), clock.wall_ms())));
    console.note(format("loam share --cancel {} takes it back without a trace until then", id));
  }
  if (!record.empty() && !console.options().quiet) warn_if_unreachable(console, client);
}

/// Shows what becomes public, asks, and says what came of it.
Result<> publish(Console& console, env::Clock& clock, const NodeClient& client,
                 const Publication& what) {
  const auto preview = LOAM_TRY(preview_of(client, what));
  if (!console.options().yes) show_before_asking(console, preview_text(preview));
  const std::string question =
      what.now ? "Publish this now? The hour in its header then says when you did it"
               : "Share this?";
  if (!LOAM_TRY(console.ask(question)))
    return fail(ErrorCode::kCancelled, "share: not shared, as you wished");
  codec::Value request = what.request;
  // What was shown, and not what has become the last answer meanwhile.
  for (const char* name : {"answer", "choice"})
    if (const codec::Value* shown = preview.find(name)) request.set(name, *shown);
  request.set("now", what.now);
  print_submission(console, clock, client, LOAM_TRY(client.post(what.route, request)));
  return {};
}

Result<int> share(Invocation& invocation, const ShareOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  Console& console = invocation.console;
  if (options.cancel) {
    const auto done = LOAM_TRY(client.remove(path_of("/loam/v1/share", *options.cancel)));
    if (invocation.globals.json)
      console.json(done);
    else if (!invocation.globals.quiet)
      console.line(format("cancelled {}; nothing of it is left", *options.cancel));
    return 0;
  }
  const ShareTerms terms = terms_of(options);
  if (options.preview) return only_preview(console, client, {"/loam/v1/share", request_of(terms)});
  LOAM_TRY(share_answer(console, invocation.clock, client, terms));
  return 0;
}

Result<int> share_ls(Invocation& invocation) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto shared = LOAM_TRY(client.get("/loam/v1/share"));
  const auto answers = LOAM_TRY(client.get("/loam/v1/answers?limit=100"));
  Console& console = invocation.console;
  const std::int64_t now_ms = invocation.clock.wall_ms();
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> known;
  for (const codec::Value* one : items_at(shared, "submissions")) {
    known.push_back(text_at(*one, "answer"));
    if (invocation.globals.json) {
      console.json(*one);
      continue;
    }
    const std::string record = text_at(*one, "record");
    const bool queued = record.empty();
    rows.push_back(
        {queued ? text_at(*one, "submission") : record, text_at(*one, "state"),
         relative_time(parse_time_ms(text_at(*one, queued ? "publishes_at" : "published_at")),
                       now_ms),
         text_at(*one, "licence")});
  }
  for (const codec::Value* answer : items_at(answers, "answers")) {
    const std::int64_t choice = integer_at(*answer, "choice");
    const std::string id =
        choice == 0 ? text_at(*answer, "id") : format("{}#{}", text_at(*answer, "id"), choice);
    if (std::ranges::find(known, id) != known.end()) continue;
    if (invocation.globals.json)
      console.json(codec::Object{{"answer", id}, {"state", "private"}});
    else
      rows.push_back(
          {id, "private", relative_time(parse_time_ms(text_at(*answer, "made_at")), now_ms), ""});
  }
  if (invocation.globals.json) return 0;
  if (invocation.globals.quiet)
    for (const auto& row : rows) console.line(row.front());
  else
    console.out(format_table({"ID", "STATE", "WHEN", "LICENCE"}, rows));
  return 0;
}

Result<int> rate(Invocation& invocation, const RecordOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  codec::Value vote = codec::Object{{"vote", options.word.value_or("")}};
  const bool is_record = ledger::parse_record_id(*options.record).has_value();
  const std::size_t hash = options.record->find('#');
  if (!is_record && hash != std::string::npos) vote.set("choice", choice_of(*options.record, hash));
  const std::string_view rated = is_record ? "record" : "answer";
  const auto done =
      LOAM_TRY(client.post(path_of(format("/loam/v1/{}s", rated),
                                   std::string_view(*options.record).substr(0, hash), "/rate"),
                           vote));
  if (invocation.globals.json)
    invocation.console.json(done);
  else if (invocation.globals.quiet)
    invocation.console.line(text_at(done, rated));
  else
    invocation.console.line(format("rated {}: {}{}", text_at(done, "vote"), text_at(done, rated),
                                   is_record ? "" : " (for this node only)"));
  return 0;
}

Result<int> edit(Invocation& invocation, const RecordOptions& options) {
  std::string answer;
  for (const std::string& word : options.text) answer += (answer.empty() ? "" : " ") + word;
  if (answer.empty() || answer == "-") answer = LOAM_TRY(read_stdin());
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const Publication what{path_of("/loam/v1/records", *options.record, "/edit"),
                         codec::Object{{"answer", answer}}, options.now};
  if (options.preview) return only_preview(invocation.console, client, what);
  LOAM_TRY(publish(invocation.console, invocation.clock, client, what));
  return 0;
}

/// What was typed in `loam chat` goes too; what of it stays is named with the rest.
void add_typed(codec::Value& done, const env::Folders& folders, const codec::Value& record) {
  const codec::Value* body = record.find("body");
  if (body == nullptr) return;
  const codec::Value* left = done.find("left_in");
  codec::Array all =
      left == nullptr || left->as_array() == nullptr ? codec::Array() : *left->as_array();
  for (const env::Path& file : forget_typed(folders, *body)) all.emplace_back(file.string());
  done.set("left_in", std::move(all));
}

Result<int> retract(Invocation& invocation, const RecordOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const auto folders = LOAM_TRY(folders_of(invocation));
  // Afterwards nobody knows any more what it said.
  const auto record = client.get(path_of("/loam/v1/records", *options.record));
  codec::Value body = codec::Object{{"reason", options.reason.value_or("author")}};
  if (options.key) body.set("key_file", std::filesystem::absolute(*options.key).string());
  auto answered = client.post(path_of("/loam/v1/records", *options.record, "/retract"), body);
  if (!answered &&
      record) {  // it may be in the log all the same, and its text be asked for no more
    const auto now = client.get(path_of("/loam/v1/records", *options.record));
    codec::Value nothing_said = codec::Object();
    if (now && flag_at(*now, "retracted")) add_typed(nothing_said, folders, *record);
  }
  auto done = LOAM_TRY(std::move(answered));
  if (record) add_typed(done, folders, *record);
  if (invocation.globals.json)
    invocation.console.json(done);
  else if (!invocation.globals.quiet)
    invocation.console.line(format("retracted, and erased here: {}", joined(done, "retracted")));
  if (const std::string erased = joined(done, "erased_from"); !erased.empty())
    invocation.console.note(format("erased from: {}", erased));
  if (const std::string left = joined(done, "left_in"); !left.empty())
    invocation.console.note(
        format("its text is still in: {}; delete them, or build them again", left));
  return 0;
}

/// Every field of a header that is known before it is posted.
std::string header_text(const codec::Value& header) {
  std::string out =
      format("  licence {}, scope {}\n", text_at(header, "licence"), joined(header, "scope"));
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += format("  {} {}\n", name, printable(value));
  };
  line("kind", text_at(header, "kind"));
  line("made of", joined(header, "refs"));
  line("model's hash", joined(header, "models"));
  line("hash of the words of consent", text_at(header, "consent"));
  line("bytes of the text at most", format("{}", integer_at(header, "body_bytes_max")));
  line("hash of the log's key", text_at(header, "log_key_hash"));
  line("net", text_at(header, "net"));
  return out;
}

/// A verb of this group whose first argument is a record.
Verb record_verb(std::string name, const std::shared_ptr<RecordOptions>& options) {
  Verb verb;
  verb.name = std::move(name);
  verb.group = "Open record";
  verb.arguments = {{"RECORD", "", &options->record, "ID of a record.", true}};
  return verb;
}

}  // namespace

codec::Array words_of(std::string_view list) {
  codec::Array out;
  for (const std::string_view word : split(list, ',')) out.emplace_back(word);
  return out;
}

std::string joined(const codec::Value& value, std::string_view name) {
  std::string out;
  const codec::Value* list = value.find(name);
  if (list != nullptr && list->as_array() != nullptr)
    for (const codec::Value& item : *list->as_array())
      if (item.as_string() != nullptr) out += (out.empty() ? "" : ", ") + *item.as_string();
  return out;
}

std::string preview_text(const codec::Value& preview, std::string_view heading) {
  const codec::Value none = codec::Object();
  const codec::Value* body = preview.find("body");
  if (body == nullptr) body = &none;
  std::string out = std::string(heading) + "\n";
  const auto line = [&](std::string_view text) { out.append(text).append("\n"); };
  bool from_template = flag_at(preview, "system_from_template");
  for (const codec::Value* message : items_at(*body, "messages")) {
    const std::string origin = std::exchange(from_template, false)
                                   ? "added by the model's chat template"
                                   : format("written by: {}", text_at(*message, "origin"));
    line(format("  {} ({})", printable(text_at(*message, "role")), origin));
    line(wrap(printable(text_at(*message, "content")), kPageWidth, 4));
  }
  line(format("  model {}, language {}", printable(text_at(*body, "model")),
              printable(text_at(*body, "language"))));
  if (const codec::Value* header = preview.find("header")) out += header_text(*header);
  if (flag_at(*body, "replayable"))
    line("  and the tokens, seed and settings from which the answer can be computed again");
  line(format("  set when published: {}", joined(preview, "set_when_published")));
  const auto masked = items_at(preview, "masked");
  line(masked.empty()
           ? "Nothing had to be masked."
           : format("Masked, {}, which only you see here:", counted(masked.size(), "place")));
  for (const codec::Value* place : masked)
    line(format("  {:<12} {}", text_at(*place, "finding"), printable(text_at(*place, "original"))));
  line(wrap(text_at(preview, "meaning"), kPageWidth, 0));
  return out;
}

void show_before_asking(Console& console, std::string_view text) {
  if (console.options().json || console.options().quiet)
    console.warn(trim(text));
  else
    console.out(text);
}

Result<> share_answer(Console& console, env::Clock& clock, const NodeClient& client,
                      const ShareTerms& terms) {
  return publish(console, clock, client, {"/loam/v1/share", request_of(terms), terms.now});
}

Verb share_verb() {
  const auto options = std::make_shared<ShareOptions>();
  Verb verb;
  verb.name = "share";
  verb.group = "Open record";
  verb.summary = "Shares an answer, after showing exactly what becomes public";
  verb.details =
      "The last answer, or the one of the given ID (`loam share ls` lists them). Addresses, "
      "numbers and "
      "keys are masked first. It is published after a time to think (share.cooling), at the next "
      "full "
      "hour (share.batch), and can be taken back without a trace until then.";
  verb.examples = {"loam share --preview", "loam share --licence CC0-1.0", "loam share --cancel ID",
                   "loam share ls", "loam share consent --show"};
  verb.arguments = {
      {"ANSWER", "", &options->answer, "ID of an answer; without it the last one."},
      {"--licence", "SPDX", &options->licence,
       "CC0-1.0, CC-BY-4.0 (if nothing is said), CC-BY-SA-4.0, ODC-By-1.0 or Apache-2.0."},
      {"--scope", "LIST", &options->scope,
       "train, eval, or both, which is what happens if nothing is said."},
      {"--preview", "", &options->preview, "Only show what would be public."},
      {"--now", "", &options->now, "Publish at once."},
      {"--cancel", "ID", &options->cancel, "Take back what is queued."}};
  verb.run = [options](Invocation& invocation) { return share(invocation, *options); };
  Verb list = inner_verb("ls", "Lists answers: private, queued, published, retracted",
                         {"loam share ls --json"});
  list.run = share_ls;
  verb.verbs = {list, share_consent_verb()};
  return verb;
}

Verb rate_verb() {
  const auto options = std::make_shared<RecordOptions>();
  Verb verb = record_verb("rate", options);
  verb.summary = "Rates an answer: a shared one for everybody to see, a private one for this node";
  verb.details =
      "Votes on the answers of an adapter that was taken from a channel decide whether the node "
      "goes on with it: of each answer the first one counts.";
  verb.examples = {"loam rate RECORD up", "loam rate ANSWER down"};
  verb.arguments.push_back(
      {"VOTE", "", &options->word, "up, down, or none to take a vote back.", true});
  verb.run = [options](Invocation& invocation) { return rate(invocation, *options); };
  return verb;
}

Verb edit_verb() {
  const auto options = std::make_shared<RecordOptions>();
  Verb verb = record_verb("edit", options);
  verb.summary = "Shares a better answer of your own to a shared prompt";
  verb.details =
      "Masked, shown, queued and taken back as `loam share` does it, under the same licence and "
      "scope as the answer that it improves.";
  verb.examples = {"loam edit RECORD \"Rain is water that falls from clouds.\"",
                   "loam edit RECORD -y - < answer.txt"};
  verb.arguments.push_back(
      {"ANSWER", "", &options->text, "Your answer; - or nothing reads it from stdin."});
  verb.arguments.push_back({"--preview", "", &options->preview, "Only show what would be public."});
  verb.arguments.push_back({"--now", "", &options->now, "Publish at once."});
  verb.run = [options](Invocation& invocation) { return edit(invocation, *options); };
  return verb;
}

Verb retract_verb() {
  const auto options = std::make_shared<RecordOptions>();
  Verb verb = record_verb("retract", options);
  verb.summary = "Erases the text of a record of yours and tells everybody who follows the log";
  verb.details =
      "Your edits of it and votes on it go too, and so do kept answers of the same conversation "
      "and "
      "the lines that were typed for it in `loam chat` on this machine. Its header stays in the "
      "log, "
      "and old proofs stay right. Copies that others made cannot be recalled. What you wrote in a "
      "log "
      "that is lost, its recovery key retracts (loam identity rotate --recovery), or an old key of "
      "yours: from any node, for everybody who follows both logs.";
  verb.examples = {"loam retract RECORD", "loam retract RECORD --reason personal-data",
                   "loam retract RECORD --key ~/loam-recovery.key"};
  verb.arguments.push_back({"--reason", "WORD", &options->reason,
                            "author (if nothing is said), personal-data, illegal or superseded."});
  verb.arguments.push_back({"--key", "FILE", &options->key,
                            "A key of yours that signs this in place of the node's.", false,
                            Offer::kFiles});
  verb.run = [options](Invocation& invocation) { return retract(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
