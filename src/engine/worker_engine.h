// The Engine over a supervised worker. engine.h is what the rest of the node uses; this header is
// for tests, which choose the host and the limits.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"
#include "engine/session.h"
#include "engine/worker_host.h"

namespace loam::engine {

/// As start_worker_engine(), with any host and limits.
Result<std::unique_ptr<Engine>> start_engine(WorkerLauncher launch, EngineSource source,
                                             std::int64_t load_timeout_ms,
                                             SupervisionLimits limits = {});

}  // namespace loam::engine
