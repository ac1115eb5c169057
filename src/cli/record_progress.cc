#include "cli/record_progress.h"

#include <algorithm>

#include "base/format.h"
#include "cli/interrupt.h"

namespace loam::cli {

bool RecordProgress::operator()(std::string_view what, std::uint64_t done, std::uint64_t of) {
  const std::int64_t now = invocation_.clock.steady_ms();
  if (what != what_) {
    what_ = what;
    since_ms_ = now;
  }
  const auto elapsed_ms = static_cast<std::uint64_t>(now - since_ms_);
  const std::string rate =
      elapsed_ms < 500 ? ""
                       : format(", {}/s", done * 1000 / std::max<std::uint64_t>(elapsed_ms, 1));
  invocation_.console.progress(done < of ? format("{}: {} of {}{}", what, done, of, rate) : "");
  return !InterruptGuard::interrupted();
}

}  // namespace loam::cli
