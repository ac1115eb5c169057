// Supervisor: keeps one worker alive. Starts it, loads the model, watches it, starts another one
// when it died, gives up when that happens too often.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/session.h"
#include "engine/worker_host.h"
#include "env/clock.h"
#include "env/disk.h"

namespace loam::engine {

/// What is to be kept alive.
struct SupervisorSetup {
  std::string label;  // for messages: the model's name and file
  WorkerLauncher launch;
  protocol::Load load;
  ModelFiles files;  // model not valid: the fake backend
  std::int64_t load_timeout_ms = 0;
  SupervisionLimits limits;
  std::stop_token stop;  // ends the first load
};

/// One thread, which starts all its workers, since a worker dies with the thread that started it.
class Supervisor {
 public:
  /// Returns when the first worker has loaded the model, or cannot. Errors as
  /// start_worker_engine().
  static Result<std::unique_ptr<Supervisor>> start(SupervisorSetup setup);
  /// Asks the worker to end, kills it if it does not, and fails what is under way.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  const ModelInfo& info() const { return *info_; }
  /// The live worker's session; waits for one that is being started, at most `ready_ms`.
  /// @error Unavailable  there is none. Thread-safe.
  Result<std::shared_ptr<Session>> session();
  /// The live worker's session, if there is one at this moment. Thread-safe.
  std::shared_ptr<Session> session_now();
  /// True if no further worker will be started. Thread-safe.
  bool broken(std::string* why);

 private:
  enum class State { kStarting, kReady, kBroken };
  /// One worker's life, seen from its thread.
  struct Life;

  explicit Supervisor(SupervisorSetup setup);

  void run();
  /// From start to death of one worker. Returns why it ended.
  Error live_once();
  Error serve(Life& life);
  std::optional<Error> turn(Life& life);
  std::optional<Error> read(Life& life);
  std::optional<Error> handle(Life& life, protocol::FromWorker message);
  std::optional<Error> handle_loaded(Life& life, ModelInfo info);
  std::optional<Error> check_deadlines(Life& life);
  /// Why a worker whose socket was closed died.
  Error describe_death(Life& life);
  /// A second descriptor of `file`, which is as it was when it was first loaded.
  Result<env::Fd> for_worker(const env::Fd& file, const std::optional<env::FileStamp>& stamp);
  /// Waits before the next start; false: no further start.
  bool wait_before_restart(const Error& why);
  void wake();
  bool stopping();
  void begin_stopping();
  void set_state(State state, std::shared_ptr<Session> session, std::optional<Error> why);

  SupervisorSetup setup_;
  env::SystemClock clock_;
  env::Fd wake_;  // eventfd
  // Of the files when they were first loaded.
  std::optional<env::FileStamp> model_stamp_, adapter_stamp_;
  // Since the last finished request; supervisor's thread only.
  std::deque<std::int64_t> crashes_ms_;
  std::size_t crashes_in_row_ = 0;
  std::optional<ModelInfo> info_;  // set before the first kReady, constant afterwards

  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_:
  State state_ = State::kStarting;
  bool stopping_ = false;
  std::shared_ptr<Session> session_;  // shared with callers who are using it
  std::optional<Error> why_;          // of the last death

  std::jthread thread_;
};

}  // namespace loam::engine
