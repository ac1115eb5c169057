// SIGTERM and SIGINT as something that can be waited for.
#pragma once

#include <csignal>
#include <cstdint>

namespace loam::node {

/// While it lives, SIGTERM and SIGINT only wake wait(); SIGHUP and SIGPIPE do nothing.
/// Make it before any thread is started, so that all threads inherit its mask.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Waits for a signal, at most `timeout_ms` (-1: for ever); its number, or 0.
  int wait(std::int64_t timeout_ms);

 private:
  sigset_t waited_{};
  sigset_t old_mask_{};
  struct sigaction old_hangup_{};
  struct sigaction old_pipe_{};
};

}  // namespace loam::node
