#include "cli/own_log.h"

#include "base/format.h"
#include "ledger/keys.h"

namespace loam::cli {

Result<OwnLog> open_own_log(const Invocation& invocation) {
  const env::Path base = LOAM_TRY(folders_of(invocation)).data / "ledger";
  const auto log_key = ledger::read_key(base / "keys" / "log.key");
  if (!log_key)
    return fail(log_key.error().code, format("open the log: {}", log_key.error().message),
                "this needs the files of the node on this machine; `loam up` makes them");
  const auto& key = log_key->public_key();
  return OwnLog{base / "log",
                crypto::VerifierKey::of(ledger::log_origin(ledger::kPublicNet, key), key),
                LOAM_TRY(ledger::open_sqlite_storage(base / "ledger.db"))};
}

}  // namespace loam::cli
