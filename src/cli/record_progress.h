// A line of progress with its rate, for what walks over records.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/invocation.h"

namespace loam::cli {

/// Gives false once the user interrupts; an InterruptGuard must live.
class RecordProgress {
 public:
  explicit RecordProgress(Invocation& invocation) : invocation_(invocation) {}

  bool operator()(std::string_view what, std::uint64_t done, std::uint64_t of);

 private:
  Invocation& invocation_;
  std::string what_;
  std::int64_t since_ms_ = 0;
};

}  // namespace loam::cli
