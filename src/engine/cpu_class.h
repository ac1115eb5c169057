// Which instruction set this build of the engine needs, and whether this machine has it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "env/disk.h"

namespace loam::engine {

/// What a processor offers of what our builds use.
struct CpuFeatures {
  bool avx2 = false;
  bool bmi2 = false;
  bool f16c = false;
  bool fma = false;
  bool avx512 = false;  // its F, BW, CD, DQ and VL parts
};

/// The class that this build's kernels were compiled for, as recorded with every answer:
/// "x86-64-v3", "x86-64-v4" or "aarch64". @source DESIGN.md 8.11.
std::string_view cpu_class();

/// What this machine's processor offers; all true where the class has no such features.
CpuFeatures probe_cpu();

/// Call before anything of the engine's library: an instruction that is missing kills the process.
/// @error Unsupported  names the missing features.
Result<> require_cpu(const CpuFeatures& features);

/// The best worker executable for a machine: `loam-worker-x86-64-v4` beside `program`, if it was
/// built and `features` allow it; else `program` itself, which can be a worker too.
env::Path worker_program(const env::Path& program, const CpuFeatures& features);

}  // namespace loam::engine
