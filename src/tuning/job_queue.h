// The jobs that a node was asked for: one after the other, and a model of each that succeeded.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "catalog/catalog.h"
#include "env/clock.h"
#include "tuning/job.h"
#include "tuning/trainer.h"

namespace loam::tuning {

struct QueueSetup {
  env::Path jobs;
  catalog::Catalog& catalog;
  env::Clock& clock;
  std::unique_ptr<Trainer> trainer;
};

/// All that it knows is in the jobs' folders, so that a restart of the node, and what the command
/// line does to a job meanwhile, change nothing. It looks at those jobs only that have a caller.
/// Thread-safe.
class JobQueue {
 public:
  explicit JobQueue(QueueSetup setup);
  /// As stop().
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// From now on a thread looks after the jobs. What worked when the last node ended goes on.
  void start();
  /// Ends that thread, and asks a process that works on a job to stop: the next start() goes on.
  void stop();

  /// Makes a job, which waits for its turn; its id and time are set here.
  /// @error ResourceExhausted  too many wait. As JobFolder::create().
  Result<JobFolder> add(JobSpec spec);
  /// Says what is wanted of a job; it is done soon.
  Result<> set_intent(const JobFolder& job, JobIntent intent);

  /// The newest first. @error as JobFolder.
  Result<std::vector<JobFolder>> list() const { return JobFolder::list(setup_.jobs); }
  Result<JobFolder> open(std::string_view id) const { return JobFolder::open(setup_.jobs, id); }

  /// One look at all jobs: ends what is no longer wanted, makes models, starts the next. What the
  /// thread does; tests without it call this. Whether there is more to be done soon.
  bool look();

 private:
  std::vector<JobFolder> own_jobs() const;  // the oldest first
  bool tend(const JobFolder& job, const JobFolder*& next);
  void make_model(const JobFolder& job, JobState state);
  void begin(const JobFolder& job);
  void run(const std::stop_token& stopping);
  void wake();

  QueueSetup setup_;
  std::mutex looking_;  // one look at a time
  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;   // under mutex_
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace loam::tuning
