// Who works on jobs: a process of its own for each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "env/clock.h"
#include "env/disk.h"
#include "tuning/job.h"

namespace loam::tuning {

/// Thread-compatible.
class Trainer {
 public:
  virtual ~Trainer() = default;
  /// Returns once work on the job has begun.
  /// @error AlreadyExists  somebody works on it. Unavailable  it ended at once. DeadlineExceeded.
  virtual Result<> start(const JobFolder& job) = 0;
  /// Asks whoever works on the job to stop after its step, and returns; false if nobody does.
  /// @error PermissionDenied  another user's process works on it.
  virtual Result<bool> stop(const JobFolder& job) = 0;
  virtual bool works_on(const JobFolder& job) = 0;
};

/// This program with `train resume ID --foreground`, in a session of its own.
/// @param arguments  options by which it finds the same home and settings, e.g. {"--home", "..."}.
std::unique_ptr<Trainer> make_process_trainer(env::Path program, std::vector<std::string> arguments,
                                              env::Clock& clock);

}  // namespace loam::tuning
