#include "cli/resume.h"

#include <memory>

#include "base/format.h"
#include "cli/identity.h"
#include "cli/interrupt.h"
#include "cli/log_source.h"
#include "ledger/home.h"

namespace loam::cli {
namespace {

struct ResumeOptions {
  std::optional<std::string> from;
  bool new_log = false;
};

Result<int> from_copy(Invocation& invocation, const ledger::LogHome& home,
                      const std::string& where) {
  const InterruptGuard guard;
  const auto copy = LOAM_TRY(open_log_at(invocation, "resume", where));
  Console& console = invocation.console;
  const auto done =
      LOAM_TRY(ledger::resume_log(home, *copy, [&](std::uint64_t at, std::uint64_t of) {
        console.progress(at < of ? format("fetching record {} of {}", at, of) : "");
        return !InterruptGuard::interrupted();
      }));
  if (invocation.globals.json)
    console.json(codec::Object{{"records", done.records},
                               {"fetched", done.fetched},
                               {"bodies", done.bodies},
                               {"without_body", done.without}});
  else if (!invocation.globals.quiet)
    console.line(
        format("{} records, {} of them fetched; {} bodies came back, {} are not to be had; "
               "this node signs again",
               done.records, done.fetched, done.bodies, done.without));
  return 0;
}

Result<int> another_log(Invocation& invocation, const ledger::LogHome& home) {
  if (!LOAM_TRY(invocation.console.ask(
          "Start another log with new keys? What the present one holds is then retracted with the "
          "keys that are put aside (loam retract RECORD --key FILE).")))
    return fail(ErrorCode::kCancelled, "ledger resume: nothing was changed, as you wished");
  const env::Path old = LOAM_TRY(ledger::start_new_log(home, invocation.clock));
  if (invocation.globals.json)
    invocation.console.json(codec::Object{{"old", old.string()}});
  else if (!invocation.globals.quiet)
    invocation.console.line(
        format("a new log takes its place, `loam identity ls` has its keys; the old one lies in {}",
               old.string()));
  return 0;
}

Result<int> resume(Invocation& invocation, const ResumeOptions& options) {
  if (options.from.has_value() == options.new_log)
    return fail(ErrorCode::kInvalidArgument, "ledger resume: one of two ways must be chosen",
                "--from URL|DIR fetches what is missing; --new-log starts another log");
  const auto folders = LOAM_TRY(folders_of(invocation));
  const auto lock = LOAM_TRY(hold_home(folders, "resume the log"));
  const auto home = ledger::LogHome::of(folders);
  return options.new_log ? another_log(invocation, home)
                         : from_copy(invocation, home, *options.from);
}

}  // namespace

Verb resume_verb() {
  const auto options = std::make_shared<ResumeOptions>();
  Verb verb;
  verb.name = "resume";
  verb.summary = "Lets a log sign again that stopped, or starts another in its place";
  verb.details =
      "A log stops signing when it is, or may be, older than what was signed before: after a "
      "backup "
      "was put back, say. --from fetches what is missing, checks that it is signed by this log's "
      "key "
      "and goes on from what is here. Take the newest copy there is: what exists elsewhere only, "
      "nobody can know here. The node is stopped for it.";
  verb.examples = {"loam ledger resume --from https://mirror.example/log",
                   "loam ledger resume --from /srv/www/log", "loam ledger resume --new-log"};
  verb.arguments = {
      {"--from", "URL|DIR", &options->from,
       "A mirror or an export of this log: where its checkpoint lies.", false, Offer::kFiles},
      {"--new-log", "", &options->new_log,
       "Start another log, with new keys and a link to this one."}};
  verb.run = [options](Invocation& invocation) { return resume(invocation, *options); };
  return verb;
}

}  // namespace loam::cli
