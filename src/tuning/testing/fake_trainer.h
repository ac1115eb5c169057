// A trainer without processes: a test says when a job is done, and how.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "tuning/train_log.h"
#include "tuning/trainer.h"

namespace loam::tuning::testing {

/// Not thread-safe.
class FakeTrainer final : public Trainer {
 public:
  Result<> start(const JobFolder& job) override {
    if (refusal) return std::unexpected(*refusal);
    auto lock = job.lock();
    if (!lock) return std::unexpected(lock.error());
    held_.emplace(job.spec().id, *std::move(lock));
    ++starts;
    JobState state = job.state().value();
    state.status = JobStatus::kRunning;
    state.steps = 2;
    return job.set_state(state);
  }
  Result<bool> stop(const JobFolder& job) override {
    if (!works_on(job)) return false;
    end(job, JobStatus::kStopped);
    return true;
  }
  bool works_on(const JobFolder& job) override { return held_.contains(job.spec().id); }

  /// It has learned all there is; its adapter fits catalog::testing::small_model().
  void finish(const JobFolder& job) {
    std::string log;
    for (std::uint64_t step = 1; step <= 2; ++step) {
      StepReport report;
      report.step = step;
      report.loss = 2.0 / static_cast<double>(step);
      report.tokens = 10;
      log += log_line(report);
    }
    ASSERT_TRUE(env::write_file_atomic(job.log(), log));
    ASSERT_TRUE(env::make_folder(job.result()));
    ASSERT_TRUE(env::write_file_atomic(job.result() / "adapter.gguf",
                                       catalog::testing::small_adapter().bytes()));
    end(job, JobStatus::kSucceeded);
  }
  void fail_with(const JobFolder& job, Error error) {
    end(job, JobStatus::kFailed, std::move(error));
  }
  /// As a kill does.
  void vanish(const JobFolder& job) { held_.erase(job.spec().id); }

  std::optional<Error> refusal;  // of the next starts
  int starts = 0;

 private:
  void end(const JobFolder& job, JobStatus status, std::optional<Error> error = {}) {
    JobState state = job.state().value();
    state.status = status;
    state.error = std::move(error);
    state.examples = 3;
    if (status == JobStatus::kSucceeded) state.step = state.steps = 2;
    ASSERT_TRUE(job.set_state(state));
    held_.erase(job.spec().id);
  }

  std::map<std::string, env::FileLock> held_;
};

}  // namespace loam::tuning::testing
