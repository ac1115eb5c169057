#include "node/signals.h"

#include <cerrno>
#include <ctime>

namespace loam::node {

StopSignals::StopSignals() {
  ::sigemptyset(&waited_);
  ::sigaddset(&waited_, SIGTERM);
  ::sigaddset(&waited_, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &waited_, &old_mask_);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGHUP, &ignore, &old_hangup_);
  ::sigaction(SIGPIPE, &ignore, &old_pipe_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGHUP, &old_hangup_, nullptr);
  ::sigaction(SIGPIPE, &old_pipe_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

int StopSignals::wait(std::int64_t timeout_ms) {
  for (;;) {
    const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
    const int signal = timeout_ms < 0 ? ::sigwaitinfo(&waited_, nullptr)
                                      : ::sigtimedwait(&waited_, nullptr, &timeout);
    if (signal > 0) return signal;
    if (errno != EINTR) return 0;
  }
}

}  // namespace loam::node
