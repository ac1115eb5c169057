// What this machine is, as far as a node's start and the doctor must know.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loam::node {

/// Instruction sets that this build's kernels need and this processor lacks; empty: all there.
std::vector<std::string> missing_cpu_features();
/// "AMD Ryzen 5 ..."; "unknown" where the system does not say.
std::string cpu_name();
std::uint32_t core_count();

struct Memory {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
};
/// Zeros where the system does not say.
Memory memory();

/// The version of this program, e.g. "0.1.0".
std::string version();
/// "Linux 6.1.0 x86_64".
std::string system_name();

}  // namespace loam::node
