// LOAM_CHECK: a programmer's mistake stops the process, in release builds too. Never on input.
#pragma once

namespace loam {

/// Prints `file:line: check failed: condition` on stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace loam

#define LOAM_CHECK(condition)                                               \
  do {                                                                      \
    if (!(condition)) ::loam::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
