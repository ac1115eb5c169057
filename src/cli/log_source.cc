#include "cli/log_source.h"

#include "base/format.h"
#include "cli/interrupt.h"
#include "commons/http_log_source.h"

namespace loam::cli {

Result<std::unique_ptr<ledger::LogSource>> open_log_at(const Invocation& invocation,
                                                       const std::string& what,
                                                       const std::string& where) {
  if (!where.contains("://")) return ledger::open_log_folder(where);
  if (LOAM_TRY(config_of(invocation)).config.offline)
    return fail(ErrorCode::kPermissionDenied,
                format("{} from {}: this node is offline: it opens no connection", what, where),
                "give a folder, or allow it for this call: --set offline=false");
  return commons::open_http_log(where, InterruptGuard::interrupted);
}

}  // namespace loam::cli
