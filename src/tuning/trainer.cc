#include "tuning/trainer.h"

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "base/format.h"
#include "env/file.h"
#include "env/process.h"

namespace loam::tuning {
namespace {

constexpr std::int64_t kStartMs = 10'000;  // until a process must have taken the job
constexpr std::int64_t kPollMs = 20;
constexpr std::int64_t kNamingMs = 200;  // from taking the lock to saying which process it is

void sleep_ms(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

class ProcessTrainer final : public Trainer {
 public:
  ProcessTrainer(env::Path program, std::vector<std::string> arguments, env::Clock& clock)
      : program_(std::move(program)), arguments_(std::move(arguments)), clock_(clock) {}

  Result<> start(const JobFolder& job) override {
    const std::string& id = job.spec().id;
    if (const auto holder = job.holder())
      return fail(ErrorCode::kAlreadyExists,
                  format("train {}: process {} works on it", id, *holder),
                  format("loam train show {}", id));
    const env::Fd output = LOAM_TRY(env::open_append(job.output(), 0600));
    std::vector<std::string> arguments{"loam", "train", "resume", id, "--foreground"};
    arguments.insert(arguments.end(), arguments_.begin(), arguments_.end());
    const std::int64_t before_ms = LOAM_TRY(job.state()).updated_ms;
    const pid_t child = LOAM_TRY(env::start_program(program_, arguments, output));
    const std::int64_t until = clock_.steady_ms() + kStartMs;
    while (clock_.steady_ms() < until) {
      const bool over = env::ended(child).has_value();
      // The first thing that it does is to say that it works.
      const bool began = LOAM_TRY(job.state()).updated_ms != before_ms;
      if (began && !over) children_[id] = child;
      if (began) return {};
      if (over)
        return fail(ErrorCode::kUnavailable,
                    format("start training {}: its process ended at once", id),
                    format("{} says why", job.output().string()));
      sleep_ms(kPollMs);
    }
    children_[id] = child;
    return fail(ErrorCode::kDeadlineExceeded,
                format("start training {}: process {} does not begin", id, child),
                format("loam train show {} tells whether it does later", id));
  }

  Result<bool> stop(const JobFolder& job) override {
    auto holder = job.holder();
    if (holder && *holder == 0) {
      sleep_ms(kNamingMs);
      holder = job.holder();
    }
    if (!holder) return false;
    if (*holder > 1 && ::kill(static_cast<pid_t>(*holder), SIGTERM) == 0) return true;
    return fail(ErrorCode::kPermissionDenied,
                format("stop training {}: process {} cannot be signalled", job.spec().id, *holder),
                "stop it as the user who started it");
  }

  bool works_on(const JobFolder& job) override {
    // A child that ended stays in the system's table until it is asked for.
    std::erase_if(children_, [](const auto& child) { return env::ended(child.second); });
    return job.holder().has_value();
  }

 private:
  const env::Path program_;
  const std::vector<std::string> arguments_;
  env::Clock& clock_;
  std::map<std::string, pid_t> children_;  // by job
};

}  // namespace

std::unique_ptr<Trainer> make_process_trainer(env::Path program, std::vector<std::string> arguments,
                                              env::Clock& clock) {
  return std::make_unique<ProcessTrainer>(std::move(program), std::move(arguments), clock);
}

}  // namespace loam::tuning
