#include "tuning/job_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "env/random.h"
#include "env/thread.h"
#include "tuning/adoption.h"

namespace loam::tuning {
namespace {

constexpr std::size_t kWaitingMax = 100;                // chosen
constexpr std::chrono::milliseconds kBusyPoll{500};     // while a job is worked on
constexpr std::chrono::milliseconds kIdlePoll{10'000};  // the command line may have ended a job

bool is_waiting(const JobState& state) {
  return state.status == JobStatus::kQueued || state.status == JobStatus::kStopped;
}

/// A job whose state cannot be written is still there the next time.
void say(const JobFolder& job, const Result<>& done) {
  if (!done) log::warning("tuning", "job {}: {}", job.spec().id, done.error().message);
}

}  // namespace

JobQueue::JobQueue(QueueSetup setup) : setup_(std::move(setup)) {}

JobQueue::~JobQueue() { stop(); }

void JobQueue::start() {
  // Killed together with the machine, most likely: once more, and if that ends the same way, it has
  // failed.
  for (const JobFolder& job : own_jobs())
    if (const auto queued = job.queue_if_vanished(); queued && *queued)
      log::info("tuning", "job {} goes on where it was", job.spec().id);
  thread_ = env::start_thread("fine-tuning", [this](const std::stop_token& token) { run(token); });
}

void JobQueue::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake();
  thread_.join();
  for (const JobFolder& job : own_jobs())
    if (const auto stopped = setup_.trainer->stop(job); !stopped)
      log::warning("tuning", "{}", stopped.error().message);
}

void JobQueue::run(const std::stop_token& stopping) {
  do {
    const bool more = look();
    std::unique_lock lock(mutex_);
    woken_.wait_for(lock, more ? kBusyPoll : kIdlePoll,
                    [&] { return awake_ || stopping.stop_requested(); });
    awake_ = false;
  } while (!stopping.stop_requested());
}

void JobQueue::wake() {
  {
    const std::scoped_lock lock(mutex_);
    awake_ = true;
  }
  woken_.notify_all();
}

Result<JobFolder> JobQueue::add(JobSpec spec) {
  std::size_t waiting = 0;
  for (const JobFolder& job : own_jobs())
    if (const auto state = job.state(); state && is_waiting(*state)) ++waiting;
  if (waiting >= kWaitingMax)
    return fail(ErrorCode::kResourceExhausted, format("train: {} jobs wait already", waiting),
                "cancel some of them, or wait for their turn");
  spec.id = env::random_id("ftjob-");
  spec.created_ms = setup_.clock.wall_ms();
  JobFolder job = LOAM_TRY(JobFolder::create(setup_.jobs, spec));
  wake();
  return job;
}

Result<> JobQueue::set_intent(const JobFolder& job, JobIntent intent) {
  LOAM_TRY(job.set_intent(intent));
  wake();
  return {};
}

std::vector<JobFolder> JobQueue::own_jobs() const {
  auto all = list();
  if (!all) {
    log::warning("tuning", "{}", all.error().message);
    return {};
  }
  std::erase_if(*all, [](const JobFolder& job) { return job.spec().caller.empty(); });
  std::ranges::reverse(*all);
  return *std::move(all);
}

bool JobQueue::look() {
  const std::scoped_lock lock(looking_);
  const std::vector<JobFolder> jobs = own_jobs();
  const JobFolder* next = nullptr;
  bool working = false;
  for (const JobFolder& job : jobs) working = tend(job, next) || working;
  if (!working && next != nullptr) begin(*next);
  return working || next != nullptr;
}

/// Whether it is worked on; if it could be, and none before it, it becomes `next`.
bool JobQueue::tend(const JobFolder& job, const JobFolder*& next) {
  const JobIntent intent = job.intent();
  if (setup_.trainer->works_on(job)) {
    if (intent == JobIntent::kWork) return true;
    if (const auto stopped = setup_.trainer->stop(job); !stopped)
      log::warning("tuning", "{}", stopped.error().message);
    return true;
  }
  auto state = job.state();
  if (!state) return false;
  if (state->status == JobStatus::kSucceeded && intent != JobIntent::kCancel) {
    if (state->adopted.empty() && !state->error) make_model(job, *std::move(state));
  } else if (is_waiting(*state) && intent == JobIntent::kWork) {
    if (next == nullptr) next = &job;
  } else if (state->status == JobStatus::kQueued && intent == JobIntent::kCancel) {
    state->status = JobStatus::kStopped;
    state->updated_ms = setup_.clock.wall_ms();
    say(job, job.set_state(*state));
  }
  return false;
}

void JobQueue::make_model(const JobFolder& job, JobState state) {
  const auto model = adopt(setup_.catalog, job, job.spec().name);
  if (model) {
    log::info("tuning", "job {} made the model {}", job.spec().id, model->name);
    return;
  }
  log::warning("tuning", "job {}: {}", job.spec().id, model.error().message);
  state.error = model.error();
  state.error->hint += format("{}loam train adopt {} --name NAME",
                              state.error->hint.empty() ? "" : "; ", job.spec().id);
  state.updated_ms = setup_.clock.wall_ms();
  say(job, job.set_state(state));
}

void JobQueue::begin(const JobFolder& job) {
  const auto begun = setup_.trainer->start(job);
  if (begun || begun.error().code == ErrorCode::kAlreadyExists) return;
  auto state = job.state();
  if (!state || !is_waiting(*state)) return;  // its process had the last word
  state->status = JobStatus::kFailed;
  state->error = begun.error();
  state->updated_ms = setup_.clock.wall_ms();
  say(job, job.set_state(*state));
}

}  // namespace loam::tuning
