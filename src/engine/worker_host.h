// What a worker runs in, seen from the node: a process of its own, or a thread of this one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "env/disk.h"

namespace loam::engine {

/// One worker, from its start to its end. Used by one thread, which must outlive the worker: a
/// worker process is killed by the kernel when the thread that started it ends.
class WorkerHost {
 public:
  /// Kills what still runs and reaps it: no zombie, no descriptor is left.
  virtual ~WorkerHost() = default;

  /// The node's end of the connection; non-blocking.
  virtual int socket() const = 0;
  /// Where the worker's log lines come out; non-blocking; -1 if there is no such thing.
  virtual int log_pipe() const = 0;
  /// Ends it without asking. Returns at once.
  virtual void kill() = 0;
  /// Waits up to `timeout_ms` until it ended and returns how, e.g. "killed by SIGABRT".
  virtual std::optional<std::string> wait_end(int timeout_ms) = 0;
};

using WorkerLauncher = std::function<Result<std::unique_ptr<WorkerHost>>()>;

/// Starts `program` with the hidden verb of worker.h: socket at its fixed descriptor, log lines
/// into a pipe, no other descriptor, no environment but what a worker reads.
/// @error NotFound / PermissionDenied / Unavailable / ResourceExhausted  it cannot be started.
Result<std::unique_ptr<WorkerHost>> launch_process(const env::Path& program);

/// Runs the same loop in a thread. What the fake backend does to a process, it does to this one.
Result<std::unique_ptr<WorkerHost>> launch_thread();

}  // namespace loam::engine
