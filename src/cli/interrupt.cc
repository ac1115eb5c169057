#include "cli/interrupt.h"

namespace loam::cli {
namespace {

// A signal handler can reach nothing but a global.
volatile std::sig_atomic_t interrupt_seen = 0;

void on_signal(int) { interrupt_seen = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  clear();
  struct sigaction action{};
  action.sa_handler = on_signal;  // no SA_RESTART: a blocked read must return
  ::sigaction(SIGINT, &action, &old_interrupt_);
  ::sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &old_interrupt_, nullptr);
  ::sigaction(SIGTERM, &old_terminate_, nullptr);
}

bool InterruptGuard::interrupted() { return interrupt_seen != 0; }
void InterruptGuard::clear() { interrupt_seen = 0; }

}  // namespace loam::cli
