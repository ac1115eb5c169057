// Log lines, for the operator: never a prompt, an answer or a key.
//
//   error    this node cannot go on
//   warning  the operator should act
//   info     rare: start, stop, role change; a stranger cannot trigger it freely
//   debug    per module, off by default
#pragma once

#include <string>
#include <string_view>

#include "base/format.h"

namespace loam::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// Lines below `level` are dropped. Default kInfo. Thread-safe.
void set_level(Level level);
Level level();

/// Writes `time level module text` and a newline to stderr, as one write. Control characters in
/// `text` are escaped, so that no input can forge a line. Thread-safe.
void write(Level level, std::string_view module, std::string_view text);

template <class... Args>
void debug(std::string_view module, fmt::format_string<Args...> text, Args&&... args) {
  if (level() <= Level::kDebug)
    write(Level::kDebug, module, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view module, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kInfo, module, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(std::string_view module, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kWarning, module, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view module, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kError, module, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace loam::log
