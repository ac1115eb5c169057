// Programs that this one starts and does not stay with, and how it is one of them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "env/disk.h"

namespace loam::env {

/// Starts `program` with `arguments` (the first is its name) in a session of its own, without
/// input, its output in `log`; no other descriptor of ours is open there. Thread-safe.
Result<pid_t> start_program(const Path& program, const std::vector<std::string>& arguments,
                            const Fd& log);

/// How a child process ended, as waitpid() says it; nothing while it runs, and nothing again once
/// that was told.
std::optional<int> ended(pid_t child);

/// From now on this process, and those that it starts, leave the processor to others first.
void work_in_background();

}  // namespace loam::env
