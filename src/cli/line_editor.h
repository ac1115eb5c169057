// Lines from the keyboard, with editing and history. Home of libedit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "env/disk.h"

namespace loam::cli {

/// One at a time: the library keeps the terminal's state.
class LineEditor {
 public:
  enum class End { kLine, kInterrupted, kClosed };
  struct Input {
    End end = End::kLine;
    std::string line;  // without the newline
  };

  /// `history` is read now and written line by line (mode 0600); empty: no history is kept.
  /// Without a terminal plain lines are read and nothing is shown.
  static std::unique_ptr<LineEditor> open(const std::optional<env::Path>& history);
  virtual ~LineEditor() = default;

  virtual Input read(std::string_view prompt) = 0;
};

}  // namespace loam::cli
