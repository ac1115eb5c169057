#include "cli/standard_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/format.h"
#include "cli/interrupt.h"
#include "env/disk.h"

namespace loam::cli {
namespace {

constexpr std::size_t kBytesMax = 64U << 20;  // chosen: far above what any model's context holds

}  // namespace

bool stdin_is_given() {
  struct stat status{};
  return ::fstat(STDIN_FILENO, &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode));
}

Result<std::string> read_stdin() {
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) {
      if (InterruptGuard::interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
      continue;
    }
    if (n < 0) return std::unexpected(env::system_error("read", "stdin", errno));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > kBytesMax)
      return fail(ErrorCode::kResourceExhausted,
                  format("read stdin: more than {} bytes", kBytesMax));
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace loam::cli
