// Ctrl-C as a question that can be asked.
#pragma once

#include <csignal>

namespace loam::cli {

/// While it lives, SIGINT (and SIGTERM) only set a flag; blocking calls return with EINTR.
/// One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True once a signal has come since the last clear().
  static bool interrupted();
  static void clear();

 private:
  struct sigaction old_interrupt_{};
  struct sigaction old_terminate_{};
};

}  // namespace loam::cli
