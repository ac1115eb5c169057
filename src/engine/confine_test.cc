#include "engine/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include "env/disk.h"

namespace loam::engine {
namespace {

/// Runs `body` in a confined child; returns its wait status. `body` returns true if all was well.
int in_confined_child(const std::function<bool()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!confine_process()) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

bool fails_with(long result, int error_number) { return result == -1 && errno == error_number; }

class Confinement : public ::testing::Test {
 protected:
  void expect_well(const std::function<bool()>& body) {
    const int status = in_confined_child(body);
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
};

/// Not run under a sanitizer: there is no filter to test then (confine.h says why).
class SystemCallFilter : public Confinement {};

TEST_F(SystemCallFilter, NoFileCanBeOpened) {
  expect_well([] {
    return fails_with(::open("/etc/passwd", O_RDONLY), EACCES) &&
           fails_with(::open("/dev/null", O_WRONLY), EACCES) &&
           fails_with(::syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY), EACCES) &&
           fails_with(::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0), EACCES) &&
           fails_with(::access("/etc/passwd", R_OK), EACCES) &&
           fails_with(::unlink("/nowhere"), EACCES) &&
           fails_with(::syscall(SYS_memfd_create, "x", 0), EACCES);
  });
}

TEST_F(SystemCallFilter, NoSocketCanBeMade) {
  expect_well([] {
    int pair[2];
    const sockaddr nowhere{};
    return fails_with(::socket(AF_INET, SOCK_STREAM, 0), EACCES) &&
           fails_with(::socket(AF_UNIX, SOCK_STREAM, 0), EACCES) &&
           fails_with(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), EACCES) &&
           fails_with(::connect(3, &nowhere, sizeof nowhere), EACCES) &&
           fails_with(::listen(3, 1), EACCES);
  });
}

TEST_F(SystemCallFilter, NoProgramCanBeStarted) {
  expect_well([] {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    return fails_with(::execv(name, arguments), EACCES) &&
           fails_with(::syscall(SYS_execveat, AT_FDCWD, name, arguments, nullptr, 0), EACCES);
  });
}

TEST_F(SystemCallFilter, NoProcessCanBeMadeOrTouched) {
  expect_well([] {
    return fails_with(::fork(), EACCES) && fails_with(::syscall(SYS_fork), EACCES) &&
           fails_with(::syscall(SYS_clone3, nullptr, 0), ENOSYS) &&
           fails_with(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr), EACCES) &&
           fails_with(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), EACCES) &&
           fails_with(::kill(::getppid(), SIGTERM), EACCES);
  });
}

TEST_F(SystemCallFilter, ThreadsCanBeStarted) {
  expect_well([] {
    int sum = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&sum] { __atomic_add_fetch(&sum, 1, __ATOMIC_SEQ_CST); });
    threads.clear();
    return sum == 4;
  });
}

TEST_F(SystemCallFilter, MemoryCannotBeMadeExecutable) {
  expect_well([] {
    void* data = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return false;
    return fails_with(::mprotect(data, 4096, PROT_READ | PROT_EXEC), EACCES) &&
           ::mmap(nullptr, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
  });
}

TEST_F(SystemCallFilter, WhatIsOpenCanBeReadAndMapped) {
  const env::Fd file = *env::open_read("/proc/self/exe");
  expect_well([&] {
    char magic[4];
    struct stat s{};
    return ::pread(file.get(), magic, 4, 0) == 4 && ::fstat(file.get(), &s) == 0 &&
           ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0) != MAP_FAILED;
  });
}

TEST_F(SystemCallFilter, WhatNobodyNeedsKills) {
  const int status = in_confined_child([] {
    ::mount("none", "/", "tmpfs", 0, nullptr);
    return true;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST_F(SystemCallFilter, OtherLimitsThanMemoryStay) {
  expect_well([] {
    const rlimit more{1024, 1024};
    return fails_with(::setrlimit(RLIMIT_NOFILE, &more), EPERM) ||
           fails_with(::setrlimit(RLIMIT_NOFILE, &more), EACCES);
  });
}

TEST_F(Confinement, NoCoreNoPrivilegesFewDescriptors) {
  expect_well([] {
    rlimit core{}, files{};
    ::getrlimit(RLIMIT_CORE, &core);
    ::getrlimit(RLIMIT_NOFILE, &files);
    return core.rlim_max == 0 && files.rlim_max <= 16;
  });
}

TEST_F(SystemCallFilter, MemoryIsBounded) {
  expect_well([] {
    if (!limit_memory(2ULL << 30)) return false;
    void* much =
        ::mmap(nullptr, 3ULL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void* some =
        ::mmap(nullptr, 1U << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return much == MAP_FAILED && some != MAP_FAILED;
  });
}

TEST(EndWithParent, AParentThatIsAnotherOneIsGone) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool own = end_with_parent(::getppid()).has_value();
    const bool other = end_with_parent(1'000'000'000).has_value();
    ::_exit(own && !other ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace loam::engine
