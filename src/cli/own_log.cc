#include "cli/own_log.h"

#include "base/format.h"
#include "ledger/home.h"
#include "ledger/keys.h"

namespace loam::cli {

Result<OwnLog> open_own_log(const Invocation& invocation) {
  const auto home = ledger::LogHome::of(LOAM_TRY(folders_of(invocation)));
  const auto log_key = ledger::read_key(home.keys() / "log.key");
  if (!log_key)
    return fail(log_key.error().code, format("open the log: {}", log_key.error().message),
                "this needs the files of the node on this machine; `loam up` makes them");
  const auto& key = log_key->public_key();
  return OwnLog{home.setup().folder,
                crypto::VerifierKey::of(ledger::log_origin(home.net, key), key),
                LOAM_TRY(ledger::open_sqlite_storage(home.database()))};
}

}  // namespace loam::cli
