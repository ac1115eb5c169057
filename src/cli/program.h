// The program from its arguments to its exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "env/clock.h"

namespace loam::cli {

/// Runs one verb; `arguments` without the program's name. Never throws, never exits.
int run_program(const std::vector<std::string>& arguments, Console& console, env::Clock& clock);

}  // namespace loam::cli
