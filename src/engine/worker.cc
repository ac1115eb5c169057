#include "engine/worker.h"

#include <utility>

#include "base/log.h"
#include "base/parse.h"
#include "engine/confine.h"
#include "engine/worker_loop.h"
#include "env/clock.h"
#include "env/folders.h"

namespace loam::engine {

int run_worker() {
  const std::string parent = env::variable(kWorkerParentVariable).value_or("");
  Result<> ready = set_non_blocking(kWorkerSocket);
  if (!ready)
    ready = fail(ErrorCode::kInvalidArgument,
                 "engine-worker: is started by a node, which hands it a socket");
  if (ready) ready = end_with_parent(parse_int(parent).value_or(0));
  if (ready) ready = confine_process();
  if (!ready) {
    log::error("engine", "{}", ready.error().message);
    return std::to_underlying(WorkerEnd::kConfinement);
  }
  log::set_level(env::variable(kWorkerDebugVariable) ? log::Level::kDebug : log::Level::kWarning);
  env::SystemClock clock;
  return std::to_underlying(WorkerLoop(env::Fd(kWorkerSocket), clock).run());
}

}  // namespace loam::engine
