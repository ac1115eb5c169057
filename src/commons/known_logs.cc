#include "commons/known_logs.h"

#include "commons/follow.h"
#include "env/file.h"
#include "ledger/home.h"

namespace loam::commons {

Result<KnownLogs> KnownLogs::open(const env::Folders& folders) {
  KnownLogs out;
  // Opening a database would make one.
  const auto add = [&](const env::Path& file) -> Result<> {
    if (env::stamp(file)) out.logs_.push_back(LOAM_TRY(ledger::open_sqlite_storage(file)));
    return {};
  };
  LOAM_TRY(add(ledger::LogHome::of(folders).database()));
  const env::Path followed = folders.data / "commons" / "followed";
  if (!env::stamp(followed)) return out;
  for (const std::string& name : LOAM_TRY(env::names_in(followed)))
    LOAM_TRY(add(followed / name / "records.db"));
  return out;
}

Result<bool> KnownLogs::withdrawn(const ledger::RecordId& id) const {
  if (LOAM_TRY(withdrawn_itself(id))) return true;
  // An edit goes with what it improves, as in data sets that are built now: one step.
  for (const auto& log : logs_) {
    const auto known = LOAM_TRY(log->record(id));
    if (known && known->kind == ledger::Kind::kEdit) return withdrawn_itself(known->refs.front());
  }
  return false;
}

Result<bool> KnownLogs::withdrawn_itself(const ledger::RecordId& id) const {
  for (const auto& log : logs_) {
    const auto known = LOAM_TRY(log->record(id));
    if (!known) continue;
    if (known->retracted) return true;
    if (LOAM_TRY(retracted_in_another(id, known->author, *log))) return true;
  }
  return false;
}

/// A retraction may stand in another log than what it withdraws, where whose keys belong together
/// is not known.
Result<bool> KnownLogs::retracted_in_another(const ledger::RecordId& id,
                                             const crypto::PublicKey& author,
                                             const ledger::Storage& home) const {
  for (const auto& log : logs_) {
    if (log.get() == &home) continue;
    const auto referring = LOAM_TRY(log->referring_to(id));
    for (const crypto::PublicKey& key : retractors_among(referring))
      if (LOAM_TRY(ledger::speaks_for(home, key, author))) return true;
  }
  return false;
}

}  // namespace loam::commons
