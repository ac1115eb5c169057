// Arguments to a verb. Home of CLI11.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verb.h"

namespace loam::cli {

struct Parsed {
  const Verb* verb = nullptr;  // the root if none was named
  std::string path;            // "loam key new"
  bool help = false;           // --help or -h was given
};

/// Fills the targets of the verb that `arguments` (without the program's name) call, and those of
/// the root's own options, which may stand before or behind the verb.
/// @error InvalidArgument  unknown verb or option (the hint names the nearest), a missing argument,
///                         a value of the wrong type.
Result<Parsed> parse_command_line(const Verb& root, const std::vector<std::string>& arguments);

}  // namespace loam::cli
