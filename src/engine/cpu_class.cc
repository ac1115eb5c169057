#include "engine/cpu_class.h"

#include <array>
#include <string>
#include <utility>

#include "base/format.h"

namespace loam::engine {

std::string_view cpu_class() {
#if defined(LOAM_CPU_CLASS_V4)
  return "x86-64-v4";
#elif defined(__x86_64__)
  return "x86-64-v3";
#else
  return "aarch64";
#endif
}

CpuFeatures probe_cpu() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return {
      .avx2 = __builtin_cpu_supports("avx2") != 0,
      .bmi2 = __builtin_cpu_supports("bmi2") != 0,
      .f16c = __builtin_cpu_supports("f16c") != 0,
      .fma = __builtin_cpu_supports("fma") != 0,
      .avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                __builtin_cpu_supports("avx512cd") != 0 &&
                __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0};
#else
  return {.avx2 = true, .bmi2 = true, .f16c = true, .fma = true, .avx512 = false};
#endif
}

Result<> require_cpu(const CpuFeatures& features) {
  const bool needs_avx512 = cpu_class() == "x86-64-v4";
  const std::array<std::pair<bool, std::string_view>, 5> needed = {
      {{features.avx2, "AVX2"},
       {features.bmi2, "BMI2"},
       {features.f16c, "F16C"},
       {features.fma, "FMA"},
       {features.avx512 || !needs_avx512, "AVX-512"}}};
  std::string missing;
  for (const auto& [present, name] : needed) {
    if (present) continue;
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  if (missing.empty()) return {};
  return fail(ErrorCode::kUnsupported,
              format("start the engine: this processor lacks {}, which this build ({}) needs",
                     missing, cpu_class()),
              "use a processor of 2015 or later, or build the engine for an older class");
}

env::Path worker_program(const env::Path& program, const CpuFeatures& features) {
  const auto self = env::real_path(program);
  if (!self || !features.avx512) return program;
  env::Path newer = self->parent_path() / "loam-worker-x86-64-v4";
  return env::stamp(newer) ? newer : program;
}

}  // namespace loam::engine
