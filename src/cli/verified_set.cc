#include "cli/verified_set.h"

#include "base/format.h"
#include "cli/interrupt.h"
#include "cli/own_log.h"
#include "cli/record_progress.h"
#include "dataset/parallel.h"
#include "dataset/verify.h"

namespace loam::cli {

Result<crypto::Digest> verified_root(Invocation& invocation, std::string_view who,
                                     const std::string& folder,
                                     const std::vector<std::string>& keys) {
  dataset::VerifyOptions options;
  for (const std::string& text : keys)
    options.keys.push_back(LOAM_TRY(crypto::parse_verifier_key(text)));
  if (options.keys.empty()) options.keys.push_back(LOAM_TRY(open_own_log(invocation)).key);
  options.threads = dataset::usual_threads();
  const InterruptGuard guard;
  const auto verified = LOAM_TRY(dataset::verify(folder, options, RecordProgress(invocation)));
  invocation.console.progress("");
  if (!verified.faults.empty())
    return fail(ErrorCode::kCorrupt,
                format("{}: the data set {} is damaged: {}", who, folder,
                       printable(verified.faults.front())),
                format("loam data verify {} lists all that is wrong", folder));
  return verified.roots.dataset();
}

}  // namespace loam::cli
