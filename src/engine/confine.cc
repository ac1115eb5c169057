#include "engine/confine.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <system_error>

#include "base/format.h"

#ifdef __clang__
// The macros of seccomp.h are C: compound literals that leave fields out.
#pragma clang diagnostic ignored "-Wc99-extensions"
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#endif

// g++ says which sanitizer it builds for by macros, clang by __has_feature.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOAM_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAM_SANITIZED 1
#endif
#ifndef LOAM_SANITIZED
#define LOAM_SANITIZED 0
#endif

namespace loam::engine {
namespace {

/// Standard streams, the socket, the model file, and a few for the C library.
constexpr rlim_t kDescriptorsMax = 16;

/// What evaluating a model, talking on an open socket and ending needs.
constexpr int kAllowed[] = {
    // the socket, the model file, stderr
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(lseek),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(dup),
    SCMP_SYS(fadvise64),
    SCMP_SYS(shutdown),
    // memory
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(mincore),
    // threads and waiting
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    // signals to itself: abort()
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    // harmless questions
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
};

/// What libraries try and can do without: refused, so that they go on.
constexpr int kRefused[] = {
    // files
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(creat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(chdir),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ioctl),
    // the network
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    // other processes and programs
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(set_mempolicy),
    SCMP_SYS(get_mempolicy),
    SCMP_SYS(mbind),
};

Error refused(const char* what, int error_number) {
  return {ErrorCode::kInternal,
          format("confine worker: {}: {}", what, std::generic_category().message(error_number))};
}

Result<> set_limit(__rlimit_resource resource, rlim_t value, const char* what) {
  const rlimit limit{value, value};
  if (::setrlimit(resource, &limit) != 0) return std::unexpected(refused(what, errno));
  return {};
}

/// Adds rules to a filter; keeps the first error.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_(filter) {}

  template <class... Conditions>
  void add(std::uint32_t action, int call, Conditions... conditions) {
    const scmp_arg_cmp list[] = {conditions..., scmp_arg_cmp{}};
    const int rc = seccomp_rule_add_array(filter_, action, call, sizeof...(conditions), list);
    // A call that this architecture does not have (open on aarch64) needs no rule.
    if (rc != 0 && rc != -EDOM && first_error_ == 0) first_error_ = rc;
  }
  int first_error() const { return first_error_; }

 private:
  scmp_filter_ctx filter_;
  int first_error_ = 0;
};

/// The calls whose arguments decide.
void add_conditional_rules(Rules& rules) {
  const std::uint32_t refuse = SCMP_ACT_ERRNO(EACCES);
  // Threads of this process: yes. Processes and name spaces: no.
  constexpr std::uint64_t kSpaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  constexpr std::uint64_t kChecked = CLONE_THREAD | CLONE_VM | kSpaces;
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(clone),
            SCMP_A0_64(SCMP_CMP_MASKED_EQ, kChecked, CLONE_THREAD | CLONE_VM));
  rules.add(refuse, SCMP_SYS(clone), SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  // Its flags lie in memory, out of a filter's sight: the C library then uses clone.
  rules.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  // fstat(): of an open descriptor, not of a path from the working folder.
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), SCMP_A0_32(SCMP_CMP_LE, INT32_MAX),
            SCMP_A3_32(SCMP_CMP_EQ, AT_EMPTY_PATH));
  rules.add(refuse, SCMP_SYS(newfstatat), SCMP_A0_32(SCMP_CMP_GT, INT32_MAX),
            SCMP_A3_32(SCMP_CMP_EQ, AT_EMPTY_PATH));
  rules.add(refuse, SCMP_SYS(newfstatat), SCMP_A3_32(SCMP_CMP_NE, AT_EMPTY_PATH));
  // Memory to keep data in; none to run.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    rules.add(SCMP_ACT_ALLOW, call, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    rules.add(refuse, call, SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
  }
  // Naming threads and memory; nothing that gains anything.
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_EQ, PR_SET_NAME));
  rules.add(refuse, SCMP_SYS(prctl), SCMP_A0_32(SCMP_CMP_NE, PR_SET_NAME));
  // limit_memory() on this process; asking for any limit of its own.
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A0_64(SCMP_CMP_EQ, 0),
            SCMP_A1_32(SCMP_CMP_EQ, RLIMIT_AS));
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A0_64(SCMP_CMP_EQ, 0),
            SCMP_A2_64(SCMP_CMP_EQ, 0));
  rules.add(refuse, SCMP_SYS(prlimit64), SCMP_A1_32(SCMP_CMP_NE, RLIMIT_AS),
            SCMP_A2_64(SCMP_CMP_NE, 0));
  rules.add(refuse, SCMP_SYS(prlimit64), SCMP_A0_64(SCMP_CMP_NE, 0));
  // Whether descriptors block, and duplicates for fdopen().
  for (const int command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC})
    rules.add(SCMP_ACT_ALLOW, SCMP_SYS(fcntl),
              SCMP_A1_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(command)));
}

Result<> filter_system_calls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(
      seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release);
  if (filter == nullptr) return std::unexpected(refused("make a system call filter", ENOMEM));
  Rules rules(filter.get());
  for (const int call : kAllowed) rules.add(SCMP_ACT_ALLOW, call);
  for (const int call : kRefused) rules.add(SCMP_ACT_ERRNO(EACCES), call);
  add_conditional_rules(rules);
  if (rules.first_error() != 0)
    return std::unexpected(refused("write the system call filter", -rules.first_error()));
  if (const int rc = seccomp_load(filter.get()); rc != 0)
    return std::unexpected(refused("load the system call filter", -rc));
  return {};
}

}  // namespace

Result<> end_with_parent(std::int64_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return std::unexpected(refused("end with the parent", errno));
  // It may have ended before the line above; then nobody would tell us.
  if (parent != 0 && ::getppid() != parent)
    return fail(ErrorCode::kUnavailable, "start worker: the process that started it is gone");
  return {};
}

bool filters_system_calls() { return LOAM_SANITIZED == 0; }

Result<> confine_process() {
  LOAM_TRY(set_limit(RLIMIT_CORE, 0, "forbid core dumps"));
  LOAM_TRY(set_limit(RLIMIT_NOFILE, kDescriptorsMax, "limit descriptors"));
  LOAM_TRY(set_limit(RLIMIT_FSIZE, 0, "forbid files to grow"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(refused("give up privileges", errno));
  if (!filters_system_calls()) return {};
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return std::unexpected(refused("forbid debuggers", errno));
  return filter_system_calls();
}

Result<> limit_memory(std::uint64_t bytes_max) {
  if (bytes_max == 0 || LOAM_SANITIZED != 0) return {};
  return set_limit(RLIMIT_AS, bytes_max, "limit memory");
}

}  // namespace loam::engine
