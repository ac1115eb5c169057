// identity: the keys that sign this node's log and records; their backup, restoration, succession.
#include "cli/identity.h"

#include <memory>

#include "base/format.h"
#include "base/parse.h"
#include "cli/background.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "env/file.h"
#include "ledger/backup.h"
#include "node/presence.h"

namespace loam::cli {
namespace {

constexpr std::size_t kPassphraseBytesMax = 4096;

struct IdentityOptions {
  std::optional<std::string> file, passphrase_file, recovery;
  bool seal = false;
};

Result<ledger::LogHome> home_of(const Invocation& invocation) {
  return ledger::LogHome::of(LOAM_TRY(folders_of(invocation)));
}

Error without_keys(Error error) {
  if (error.code == ErrorCode::kNotFound)
    error.hint = "there are none on this machine yet; `loam up` makes them";
  return error;
}

codec::Value key_row(std::string_view role, const crypto::PublicKey& key, std::string_view state) {
  return codec::Object{{"role", role}, {"key", to_hex(key)}, {"state", state}};
}

/// One object for each key: what it is for, its public half, and what it may do.
Result<std::vector<codec::Value>> rows_of(const ledger::LogHome& home) {
  const auto read = ledger::read_keys(home.keys());
  if (!read) return std::unexpected(without_keys(read.error()));
  const auto storage = LOAM_TRY(ledger::open_sqlite_storage(home.database()));
  std::vector<codec::Value> rows = {key_row("log", read->log.public_key(), "signs")};
  rows.back().set("verifier_key", home.verifier_key(*read).text());
  const auto writing = ledger::writing_key(*storage, *read);
  for (const crypto::SigningKey& author : read->authors) {
    const auto known = LOAM_TRY(storage->author(author.public_key()));
    const bool writes = writing && &author == *writing;
    rows.push_back(key_row("author", author.public_key(),
                           writes  ? "writes"
                           : known ? "ended"
                                   : "unused"));
    rows.back().set("records", known ? known->next_seq : 0);
    if (!writes || !known || !known->recovery) continue;
    const auto recovery = LOAM_TRY(storage->author(*known->recovery));
    rows.push_back(key_row("recovery", *known->recovery, "retracts"));
    rows.back().set("records", recovery ? recovery->next_seq : 0);
  }
  return rows;
}

Result<int> ls(Invocation& invocation) {
  std::vector<std::vector<std::string>> table;
  std::string verifier_key;
  const auto home = LOAM_TRY(home_of(invocation));
  for (const codec::Value& row : LOAM_TRY(rows_of(home))) {
    if (invocation.globals.json)
      invocation.console.json(row);
    else if (invocation.globals.quiet)
      invocation.console.line(text_at(row, "key"));
    else
      table.push_back(
          {text_at(row, "role"), text_at(row, "key"), text_at(row, "state"),
           row.find("records") == nullptr ? "" : std::to_string(integer_at(row, "records"))});
    verifier_key += text_at(row, "verifier_key");
  }
  if (table.empty()) return 0;
  invocation.console.out(format_table({"ROLE", "KEY", "STATE", "RECORDS"}, table));
  invocation.console.line(format("verifier key  {}", verifier_key));
  return 0;
}

/// From the file that was given, else from the terminal; `twice` for a new one.
Result<std::string> passphrase_of(Invocation& invocation, const IdentityOptions& options,
                                  bool twice) {
  std::string out;
  if (options.passphrase_file) {
    out = LOAM_TRY(env::read_file(*options.passphrase_file, kPassphraseBytesMax));
    out = out.substr(0, out.find('\n'));
  } else {
    out = LOAM_TRY(invocation.console.ask_secret("Passphrase: "));
    if (twice && LOAM_TRY(invocation.console.ask_secret("Once more: ")) != out)
      return fail(ErrorCode::kInvalidArgument, "passphrase: the two differ");
  }
  if (out.empty()) return fail(ErrorCode::kInvalidArgument, "passphrase: it is empty");
  return out;
}

/// Never over a file that is there.
Result<> write_new(const env::Path& file, std::string_view content) {
  const env::Fd made = LOAM_TRY(env::create_file(file, 0600));
  auto written = env::write_all(made, file, content);
  if (written) written = env::sync_file(made, file);
  if (!written) {
    LOAM_TRY(env::remove_file(file));
    return written;
  }
  return env::sync_folder(file.parent_path());
}

Result<int> backup(Invocation& invocation, const IdentityOptions& options) {
  const auto made = ledger::make_backup(LOAM_TRY(home_of(invocation)));
  if (!made) return std::unexpected(without_keys(made.error()));
  std::string text = ledger::encode_backup(*made);
  const bool seals = options.seal || options.passphrase_file;
  if (seals) {
    const std::string passphrase = LOAM_TRY(passphrase_of(invocation, options, true));
    text = LOAM_TRY(ledger::seal_backup(text, passphrase));
  }
  const env::Path file = std::filesystem::absolute(*options.file);
  LOAM_TRY(write_new(file, text));
  Console& console = invocation.console;
  if (invocation.globals.json)
    console.json(codec::Object{
        {"file", file.string()}, {"sealed", seals}, {"authors", made->keys.authors.size()}});
  else if (!invocation.globals.quiet)
    console.line(format("{}: the log's key and {} of its author. Who has {} can sign as this node.",
                        file.string(), made->keys.authors.size(),
                        seals ? "this file and its passphrase" : "this file"));
  return 0;
}

Result<ledger::Backup> read_backup(Invocation& invocation, const IdentityOptions& options) {
  std::string text = LOAM_TRY(env::read_file(*options.file, ledger::kBackupBytesMax));
  if (ledger::is_sealed_backup(text)) {
    const std::string passphrase = LOAM_TRY(passphrase_of(invocation, options, false));
    text = LOAM_TRY(ledger::open_sealed_backup(text, passphrase));
  }
  return ledger::parse_backup(text);
}

Result<int> restore(Invocation& invocation, const IdentityOptions& options) {
  auto parsed = read_backup(invocation, options);
  if (!parsed)
    return fail(parsed.error().code, format("{}: {}", *options.file, parsed.error().message),
                parsed.error().hint);
  const auto folders = LOAM_TRY(folders_of(invocation));
  const auto lock = LOAM_TRY(hold_home(folders, "restore an identity"));
  const auto home = ledger::LogHome::of(folders);
  LOAM_TRY(ledger::restore_backup(home, *std::move(parsed)));
  if (invocation.globals.json) {
    for (const codec::Value& row : LOAM_TRY(rows_of(home))) invocation.console.json(row);
  } else if (!invocation.globals.quiet) {
    invocation.console.line(format("restored to {}", home.keys().string()));
    invocation.console.line(
        "Unless the log itself is still here, nothing is signed before `loam ledger resume`.");
  }
  return 0;
}

Result<int> rotate(Invocation& invocation, const IdentityOptions& options) {
  const NodeClient client(LOAM_TRY(ensure_node(invocation)));
  const bool recovers = options.recovery.has_value();
  if (!LOAM_TRY(invocation.console.ask(
          recovers ? "Name a recovery key, for everybody to see?"
                   : "Sign with a new key from now on? The old one can then only retract.")))
    return fail(ErrorCode::kCancelled, "identity rotate: nothing was changed, as you wished");
  codec::Value body = codec::Object();
  if (recovers) {
    const env::Path file = std::filesystem::absolute(*options.recovery);
    // One that is there was made by a call that did not get through.
    if (!env::is_plain_file(file))
      LOAM_TRY(ledger::write_key(file, crypto::SigningKey::generate()));
    body.set("recovery", to_hex(LOAM_TRY(ledger::read_key(file)).public_key()));
  }
  const auto done = LOAM_TRY(client.post("/loam/v1/identity/rotate", body));
  if (invocation.globals.json) {
    invocation.console.json(done);
  } else if (invocation.globals.quiet) {
    invocation.console.line(text_at(done, "record"));
  } else if (recovers) {
    invocation.console.line(
        format("{} may retract what this node's key and its successors write; keep {} where this "
               "machine's loss does not reach it",
               text_at(done, "recovery"), *options.recovery));
  } else {
    invocation.console.line(format("{} signs from now on", text_at(done, "author")));
    invocation.console.line("A backup from before does not hold it: loam identity backup FILE");
  }
  return 0;
}

}  // namespace

Result<env::FileLock> hold_home(const env::Folders& folders, std::string_view action) {
  LOAM_TRY(env::make_folder(folders.data));
  LOAM_TRY(env::make_folder(folders.state));
  auto lock = env::FileLock::acquire(node::lock_file(folders));
  if (!lock && lock.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kAlreadyExists, format("{}: a node runs on these files", action),
                "stop it first: loam down");
  return lock;
}

Verb identity_verb() {
  const auto options = std::make_shared<IdentityOptions>();
  const Argument passphrase = {"--passphrase-file",
                               "FILE",
                               &options->passphrase_file,
                               "The passphrase is the first line of FILE; else you are asked.",
                               false,
                               Offer::kFiles};
  Verb verb;
  verb.name = "identity";
  verb.group = "Open record";
  verb.summary = "Lists, backs up, restores and rotates the keys that sign this node's log";
  verb.details =
      "The log's key signs what was published as a whole; an author key signs each record. Whoever "
      "has them can sign in your name; without them nobody can go on with the log.";
  verb.examples = {"loam identity ls", "loam identity backup ~/loam-identity --seal",
                   "loam identity rotate"};

  Verb list =
      inner_verb("ls", "Lists the keys, their public halves only", {"loam identity ls --json"});
  list.run = ls;

  Verb save = inner_verb("backup", "Writes the keys and the newest checkpoint to a new file",
                         {"loam identity backup ~/loam-identity --seal"});
  save.arguments = {{"FILE", "", &options->file, "File to make.", true, Offer::kFiles},
                    {"--seal", "", &options->seal, "Only a passphrase opens it."},
                    passphrase};
  save.run = [options](Invocation& invocation) { return backup(invocation, *options); };

  Verb load = inner_verb("restore", "Puts the keys of a backup into a home that has none",
                         {"loam identity restore ~/loam-identity"});
  load.details =
      "The node is stopped for it. So that the log gets no second history, it signs nothing until "
      "`loam ledger resume` has fetched the log itself, or started another.";
  load.arguments = {{"FILE", "", &options->file, "A backup.", true, Offer::kFiles}, passphrase};
  load.run = [options](Invocation& invocation) { return restore(invocation, *options); };

  Verb next = inner_verb("rotate", "Has a new key sign your records", {"loam identity rotate -y"});
  next.details =
      "The old key can then only retract. With --recovery the key stays, and the log names another "
      "one, which you keep elsewhere: with it, `loam retract RECORD --key FILE` retracts from any "
      "node what the present key and those after it wrote.";
  next.arguments = {{"--recovery", "FILE", &options->recovery,
                     "Name a recovery key instead; its file is made.", false, Offer::kFiles}};
  next.run = [options](Invocation& invocation) { return rotate(invocation, *options); };

  verb.verbs = {list, save, load, next};
  return verb;
}

}  // namespace loam::cli
