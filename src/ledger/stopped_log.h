// A log that signs nothing: what there is can be read, whatever is wrong with it.
#pragma once

#include <memory>

#include "ledger/log.h"

namespace loam::ledger {

/// For a log that Log::open() refused with `why`, which is what every post of it is answered.
/// Nothing is written but which bodies are served.
std::unique_ptr<Log> make_stopped_log(LogSetup setup, LogKeys keys,
                                      std::unique_ptr<Storage> storage, Error why);

}  // namespace loam::ledger
