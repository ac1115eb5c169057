#include "ledger/home.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "env/file.h"
#include "ledger/restore.h"
#include "ledger/stopped_log.h"

namespace loam::ledger {
namespace {

// A new log is made whole in here; once the file "ready" is there, it takes the place of the old.
constexpr std::string_view kNewFolder = "new", kReadyFile = "ready", kHeadFile = "ledger-head";
constexpr std::string_view kAsideStart = "old-before-";

std::string name_of(const crypto::PublicKey& log_key) { return to_hex(log_key).substr(0, 16); }

bool is_there(const env::Path& path) { return env::stamp(path).has_value(); }

/// Moves `name` out of `base` into `aside`, and the new one into its place, unless that was done.
Result<> replace_one(const LogHome& home, const env::Path& aside, std::string_view name) {
  const env::Path made = home.base / kNewFolder / name, place = home.base / name;
  if (!is_there(made)) return {};
  if (is_there(place)) LOAM_TRY(env::rename_file(place, aside / name));
  return env::rename_file(made, place);
}

/// Each step leaves a state from which it is done again or skipped.
Result<> finish_new_log(const LogHome& home) {
  const env::Path made = home.base / kNewFolder;
  if (!env::is_plain_file(made / kReadyFile)) return {};
  const std::string name = LOAM_TRY(env::read_file(made / kReadyFile, 64));
  const env::Path aside = home.base / (std::string(kAsideStart) + name);
  LOAM_TRY(env::make_folder(aside));
  // What belongs to the old database's file goes before it, so that none comes to lie by the new.
  for (const char* file : {"ledger.db-wal", "ledger.db-shm"})
    if (is_there(made / "ledger.db") && is_there(home.base / file))
      LOAM_TRY(env::rename_file(home.base / file, aside / file));
  for (const char* part : {"ledger.db", "log", "keys"}) LOAM_TRY(replace_one(home, aside, part));
  if (const auto old = env::read_file(home.head_file, kNoteBytesMax);
      old && !env::is_plain_file(aside / kHeadFile))
    LOAM_TRY(env::write_file_atomic(aside / kHeadFile, *old, 0600));
  const std::string head = LOAM_TRY(env::read_file(made / kHeadFile, kNoteBytesMax));
  LOAM_TRY(env::write_file_atomic(home.head_file, head, 0600));
  LOAM_TRY(env::remove_file(made / kReadyFile));
  return env::remove_tree(made);
}

/// The link: the old log's last checkpoint with a line that names the new one, signed by the old
/// log's key, so that nobody else can claim to go on from it.
Result<> post_link(Log& log, crypto::Checkpoint last, const crypto::SigningKey& old_key) {
  last.extensions = {format("next {}", log.verifier_key().name)};
  const std::string note = crypto::sign_note(last.text(), last.origin, old_key);
  Draft draft;
  draft.kind = Kind::kCheckpoint;
  draft.payload = Bytes(note.begin(), note.end());
  LOAM_TRY(log.post(std::move(draft)));
  return log.flush();
}

}  // namespace

LogHome LogHome::of(const env::Folders& folders) {
  return {.base = folders.data / "ledger", .head_file = folders.state / kHeadFile};
}

crypto::VerifierKey LogHome::verifier_key(const LogKeys& keys) const {
  const crypto::PublicKey& log_key = keys.log.public_key();
  return crypto::VerifierKey::of(log_origin(net, log_key), log_key);
}

std::optional<crypto::Checkpoint> last_checkpoint(const LogHome& home,
                                                  const crypto::VerifierKey& key) {
  std::optional<crypto::Checkpoint> out;
  const auto take = [&](crypto::Checkpoint checkpoint) {
    if (checkpoint.size > (out ? out->size : 0)) out = std::move(checkpoint);
  };
  if (auto kept = kept_head(home.head_file, key); kept && *kept) take(**std::move(kept));
  if (auto published = read_checkpoint(home.setup().folder, key)) take(*std::move(published));
  return out;
}

Result<std::unique_ptr<Log>> open_log(const LogHome& home, env::Clock& clock) {
  LOAM_TRY(env::make_folder(home.base));
  LOAM_TRY(finish_new_log(home));
  LogKeys keys = LOAM_TRY(open_keys(home.keys(), home.head_file));
  auto storage = LOAM_TRY(open_sqlite_storage(home.database()));
  auto log = Log::open(home.setup(), std::move(keys), std::move(storage), clock);
  if (log ||
      (log.error().code != ErrorCode::kAlreadyExists && log.error().code != ErrorCode::kCorrupt))
    return log;
  LogKeys again = LOAM_TRY(read_keys(home.keys()));
  storage = LOAM_TRY(open_sqlite_storage(home.database()));
  return make_stopped_log(home.setup(), std::move(again), std::move(storage), log.error());
}

Result<env::Path> start_new_log(const LogHome& home, env::Clock& clock) {
  const env::Path made = home.base / kNewFolder;
  if (!env::is_plain_file(made / kReadyFile)) {
    const LogKeys old = LOAM_TRY(read_keys(home.keys()));
    LOAM_TRY(env::remove_tree(made));
    const LogHome next{.base = made, .head_file = made / kHeadFile, .net = home.net};
    LOAM_TRY(env::make_folder(next.base));
    auto log = LOAM_TRY(open_log(next, clock));
    LOAM_TRY(log->check_signs());
    if (auto last = last_checkpoint(home, home.verifier_key(old)))
      LOAM_TRY(post_link(*log, *std::move(last), old.log));
    const std::string name = name_of(log->verifier_key().key);
    log.reset();  // closes the database, which is one file then
    LOAM_TRY(env::write_file_atomic(made / kReadyFile, name, 0600));
  }
  const std::string name = LOAM_TRY(env::read_file(made / kReadyFile, 64));
  LOAM_TRY(finish_new_log(home));
  return home.base / (std::string(kAsideStart) + name);
}

}  // namespace loam::ledger
