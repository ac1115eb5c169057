// What a worker process gives up before it parses anything, so that a hostile model file which
// takes it over cannot reach files, the network or other processes. Home of libseccomp.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace loam::engine {

/// Ends this process with its parent: the kernel kills it when the thread that started it ends.
/// @error Unavailable  the parent (process `parent`; 0: unknown) is gone already.
Result<> end_with_parent(std::int64_t parent);

/// For the rest of this process's life: no core dump, no debugger, few descriptors, no file
/// growth, no privileges to gain, and only the system calls that evaluating a model needs. Opening
/// files, sockets and other programs fails with EACCES, since libraries probe for them; clone3
/// with ENOSYS, since only clone's flags can be checked; what nobody has use for kills the process.
/// To be called before a second thread exists. Under a sanitizer the system call filter is left
/// out: its runtime opens /proc and starts processes to report what it found.
/// @error Internal  the kernel refuses; the process must not go on.
Result<> confine_process();

/// True where confine_process() filters system calls.
bool filters_system_calls();

/// Bounds the address space; further memory is refused. Without effect under a sanitizer, whose
/// shadow memory takes terabytes of it. 0: no bound.
/// @error Internal  the kernel refuses.
Result<> limit_memory(std::uint64_t bytes_max);

}  // namespace loam::engine
