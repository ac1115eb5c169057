#include "env/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace loam::env {

Result<pid_t> start_program(const Path& program, const std::vector<std::string>& arguments,
                            const Fd& log) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, log.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, log.get(), STDERR_FILENO);
  // A listening socket that a library left open would outlive us in there.
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return std::unexpected(system_error("start", program, error));
  return pid;
}

std::optional<int> ended(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) != child) return std::nullopt;
  return status;
}

void work_in_background() {
  constexpr int kNiceness = 10;
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, kNiceness));
}

Result<> limit_data(std::uint64_t bytes_max, std::size_t threads) {
  // Stacks are counted in full, and are mostly untouched.
  std::size_t stack_bytes = 0;
  pthread_attr_t usual;
  pthread_attr_init(&usual);
  pthread_attr_getstacksize(&usual, &stack_bytes);
  pthread_attr_destroy(&usual);
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0)
    return std::unexpected(system_error("limit", "the memory of this process", errno));
  limit.rlim_cur = std::min<rlim_t>(bytes_max + (threads + 1) * stack_bytes, limit.rlim_max);
  if (::setrlimit(RLIMIT_DATA, &limit) != 0)
    return std::unexpected(system_error("limit", "the memory of this process", errno));
  return {};
}

}  // namespace loam::env
