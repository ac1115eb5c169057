// Programs that this one starts and does not stay with, and how it is one of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
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

/// From now on this process has `bytes_max` of memory at most for its numbers, beside the stacks of
/// `threads` threads; files that it maps to read do not count. What is asked for beyond that is
/// std::bad_alloc.
Result<> limit_data(std::uint64_t bytes_max, std::size_t threads);

}  // namespace loam::env
