// What this machine is, as far as a node's status and the doctor show.
#pragma once

#include <cstdint>
#include <string>

#include "node/config.h"

namespace loam::node {

/// "AMD Ryzen 5 ..."; "unknown" where the system does not say.
std::string cpu_name();
std::uint32_t core_count();

struct Memory {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
};
/// Zeros where the system does not say.
Memory memory();

/// Threads of a training, and of a gate in all.
std::size_t training_threads(const Config& config);
/// Bytes that a training may take, and a gate, as the owner capped them; 0: they are not capped.
std::uint64_t training_memory_max(const Config& config);

/// The version of this program, e.g. "0.1.0".
std::string version();
/// "Linux 6.1.0 x86_64".
std::string system_name();

}  // namespace loam::node
