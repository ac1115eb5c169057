// The worker process: the same program, started with a hidden verb, that holds one model.
#pragma once

namespace loam::engine {

/// The hidden verb of the command line that calls run_worker().
inline constexpr const char* kWorkerVerb = "engine-worker";
/// The descriptor on which a worker finds its socket.
inline constexpr int kWorkerSocket = 3;
/// The variable that names the process which started the worker.
inline constexpr const char* kWorkerParentVariable = "LOAM_WORKER_PARENT";
/// Set if the node wants the worker's debug lines, of which a load alone has thousands.
inline constexpr const char* kWorkerDebugVariable = "LOAM_WORKER_DEBUG";

/// The whole life of a worker process: gives up what it does not need, then serves kWorkerSocket
/// until the node ends it. To be called first thing in main(), on its only thread.
/// @return the exit status.
int run_worker();

}  // namespace loam::engine
