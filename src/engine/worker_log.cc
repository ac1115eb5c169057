#include "engine/worker_log.h"

#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/utf8.h"

namespace loam::engine {
namespace {

constexpr std::size_t kLineBytesMax = 400;

}  // namespace

bool WorkerLog::read(int pipe) {
  // One read a turn: a worker that floods its log must not keep us from its answers.
  char buffer[4096];
  const ssize_t n = ::read(pipe, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
  for (ssize_t i = 0; i < n; ++i) take(buffer[i]);
  if (n == 0) end_line();
  return n > 0;
}

void WorkerLog::take(char c) {
  if (c == '\n') return end_line();
  if (line_.size() < kLineBytesMax)
    line_ += c;
  else
    cut_ = true;
}

void WorkerLog::end_line() {
  if (!line_.empty())
    log::debug("engine", "worker of {}: {}{}", label_, replace_invalid_utf8(line_),
               cut_ ? " (cut)" : "");
  line_.clear();
  cut_ = false;
}

}  // namespace loam::engine
