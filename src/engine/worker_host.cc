#include "engine/worker_host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/format.h"
#include "base/log.h"
#include "engine/frames.h"
#include "engine/worker.h"
#include "engine/worker_loop.h"
#include "env/clock.h"
#include "env/thread.h"

namespace loam::engine {
namespace {

/// Descriptors are moved here before a start, out of the way of the fixed ones of the worker.
constexpr int kOutOfTheWay = 10;

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    return name == nullptr ? format("killed by signal {}", WTERMSIG(status))
                           : format("killed by SIG{}", name);
  }
  return format("exited with status {}", WEXITSTATUS(status));
}

class ProcessHost final : public WorkerHost {
 public:
  ProcessHost(pid_t pid, env::Fd socket, env::Fd log_pipe)
      : pid_(pid),
        process_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
        socket_(std::move(socket)),
        log_pipe_(std::move(log_pipe)) {}
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;

  ~ProcessHost() override {
    if (end_) return;
    kill();
    reap(0);
  }

  int socket() const override { return socket_.get(); }
  int log_pipe() const override { return log_pipe_.get(); }

  void kill() override {
    // Not reaped yet, so the number still is this worker's.
    if (!end_) ::kill(pid_, SIGKILL);
  }

  std::optional<std::string> wait_end(int timeout_ms) override {
    if (end_) return end_;
    pollfd poll_for{process_.get(), POLLIN, 0};
    while (::poll(&poll_for, 1, timeout_ms) < 0 && errno == EINTR) {
    }
    reap(WNOHANG);
    return end_;
  }

 private:
  void reap(int flags) {
    int status = 0;
    pid_t got = -1;
    do {
      got = ::waitpid(pid_, &status, flags);
    } while (got < 0 && errno == EINTR);
    if (got == pid_) end_ = how_it_ended(status);
    if (got < 0) end_ = "ended, and someone else was told how";
  }

  pid_t pid_;
  env::Fd process_;  // readable once it ended
  env::Fd socket_;
  env::Fd log_pipe_;
  std::optional<std::string> end_;
};

class ThreadHost final : public WorkerHost {
 public:
  explicit ThreadHost(SocketPair pair) : socket_(std::move(pair.ours)) {
    thread_ = env::start_thread(
        "worker",
        [this, socket = std::make_shared<env::Fd>(std::move(pair.theirs))](const std::stop_token&) {
          // shared_ptr: std::function must be copyable, and a descriptor is not.
          env::SystemClock clock;
          WorkerLoop loop(std::move(*socket), clock);
          end_status_ = std::to_underlying(loop.run());
        });
  }
  ThreadHost(const ThreadHost&) = delete;
  ThreadHost& operator=(const ThreadHost&) = delete;
  ~ThreadHost() override {
    kill();
    if (thread_.joinable()) thread_.join();
  }

  int socket() const override { return socket_.get(); }
  int log_pipe() const override { return -1; }
  void kill() override { ::shutdown(socket_.get(), SHUT_RDWR); }

  std::optional<std::string> wait_end(int) override {
    // A thread cannot be killed; it ends by itself once its socket is shut down.
    kill();
    if (thread_.joinable()) thread_.join();
    return format("ended with status {}", end_status_);
  }

 private:
  env::Fd socket_;
  int end_status_ = 0;  // written by the thread, read after it was joined
  std::jthread thread_;
};

/// posix_spawn's two parameter blocks, destroyed with their owner.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  /// The worker gets these two and /dev/null, default signals, and nothing else.
  int prepare(int socket, int log_pipe) {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int rc = ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0) rc = ::posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0);
    if (rc == 0) rc = ::posix_spawn_file_actions_adddup2(&actions_, log_pipe, 2);
    if (rc == 0) rc = ::posix_spawn_file_actions_adddup2(&actions_, socket, kWorkerSocket);
    if (rc == 0) rc = ::posix_spawn_file_actions_addclosefrom_np(&actions_, kWorkerSocket + 1);
    if (rc == 0) rc = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (rc == 0) rc = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    // A group of its own: Ctrl-C at the node's terminal is for the node, which lets answers finish.
    if (rc == 0)
      rc = ::posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return rc;
  }

  int spawn(pid_t& pid, const env::Path& program) {
    std::string name = "loam", verb = kWorkerVerb;  // what `ps` shows
    std::string parent = format("{}={}", kWorkerParentVariable, ::getpid());
    // A backtrace would start a debugger, and the worker must not start anything.
    std::string no_backtrace = "GGML_NO_BACKTRACE=1";
    char* arguments[] = {name.data(), verb.data(), nullptr};
    std::string debug = format("{}=1", kWorkerDebugVariable);
    const bool wants_debug = log::level() <= log::Level::kDebug;
    char* environment[] = {parent.data(), no_backtrace.data(), wants_debug ? debug.data() : nullptr,
                           nullptr};
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<std::unique_ptr<WorkerHost>> launch_process(const env::Path& program) {
  SocketPair pair = LOAM_TRY(make_socket_pair());
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return std::unexpected(env::system_error("make", "a pipe", errno));
  env::Fd log_read(pipe_ends[0]), log_write(pipe_ends[1]);
  const env::Fd socket(::fcntl(pair.theirs.get(), F_DUPFD_CLOEXEC, kOutOfTheWay));
  const env::Fd log_pipe(::fcntl(log_write.get(), F_DUPFD_CLOEXEC, kOutOfTheWay));
  if (!socket.valid() || !log_pipe.valid())
    return std::unexpected(env::system_error("duplicate", "a descriptor", errno));
  // The worker may wait for room in the pipe, the node may not wait for a line.
  if (::fcntl(log_pipe.get(), F_SETFL, O_WRONLY) != 0)
    return std::unexpected(env::system_error("set up", "a pipe", errno));

  SpawnPlan plan;
  pid_t pid = -1;
  int rc = plan.prepare(socket.get(), log_pipe.get());
  if (rc == 0) rc = plan.spawn(pid, program);
  if (rc != 0) return std::unexpected(env::system_error("start worker", program, rc));
  return std::make_unique<ProcessHost>(pid, std::move(pair.ours), std::move(log_read));
}

Result<std::unique_ptr<WorkerHost>> launch_thread() {
  SocketPair pair = LOAM_TRY(make_socket_pair());
  return std::make_unique<ThreadHost>(std::move(pair));
}

}  // namespace loam::engine
