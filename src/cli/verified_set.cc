#include "cli/verified_set.h"

#include "base/format.h"
#include "cli/interrupt.h"
#include "cli/own_log.h"
#include "cli/record_progress.h"
#include "cli/table.h"
#include "commons/known_logs.h"
#include "dataset/layout.h"
#include "dataset/parallel.h"
#include "dataset/verify.h"
#include "tuning/view_rows.h"

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

Result<> check_not_withdrawn(const Invocation& invocation, std::string_view who,
                             const env::Path& folder) {
  const env::Folders folders = LOAM_TRY(folders_of(invocation));
  const auto logs = LOAM_TRY(commons::KnownLogs::open(folders));
  std::uint64_t withdrawn = 0;
  const auto count = [&](std::string_view line) -> Result<> {
    const dataset::UsedBody text = LOAM_TRY(dataset::parse_body_line(line));
    if (LOAM_TRY(logs.withdrawn(text.id))) ++withdrawn;
    return {};
  };
  LOAM_TRY(tuning::read_each_line(folder / dataset::kBodiesFile, count,
                                  [](auto, auto) { return !InterruptGuard::interrupted(); }));
  if (withdrawn == 0) return {};
  return fail(ErrorCode::kPermissionDenied,
              format("{}: {} in the data set {} {} retracted since it was built", who,
                     counted(withdrawn, "record"), printable(folder.string()),
                     withdrawn == 1 ? "was" : "were"),
              "build it again with loam data build, which leaves them out, and delete this one");
}

}  // namespace loam::cli
