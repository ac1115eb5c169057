// What is piped into the program.
#pragma once

#include <string>

#include "base/result.h"

namespace loam::cli {

/// True if stdin is a pipe or a file, so that somebody meant it to be read. A terminal, /dev/null
/// and a socket are not.
bool stdin_is_given();

/// All of stdin. @error ResourceExhausted  more than 64 MiB. Cancelled  interrupted.
Result<std::string> read_stdin();

}  // namespace loam::cli
