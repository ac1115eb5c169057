#include "node/machine.h"

#include <sys/utsname.h>

#include <algorithm>
#include <thread>

#include "base/format.h"
#include "base/parse.h"
#include "env/disk.h"

namespace loam::node {
namespace {

/// The number behind "name:" in /proc/meminfo, which counts in KiB.
std::uint64_t meminfo(std::string_view text, std::string_view name) {
  for (const auto line : split(text, '\n')) {
    if (!line.starts_with(name)) continue;
    auto rest = trim(line.substr(name.size()));
    rest = rest.substr(0, rest.find(' '));
    return static_cast<std::uint64_t>(parse_int(rest).value_or(0)) << 10;
  }
  return 0;
}

}  // namespace

std::string cpu_name() {
  const auto text = env::read_file("/proc/cpuinfo", 16U << 20);
  if (!text) return "unknown";
  for (const auto line : split(*text, '\n')) {
    const auto colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string_view::npos)
      return std::string(trim(line.substr(colon + 1)));
  }
  return "unknown";
}

std::uint32_t core_count() { return std::max(1U, std::thread::hardware_concurrency()); }

Memory memory() {
  const auto text = env::read_file("/proc/meminfo", 1U << 20);
  if (!text) return {};
  return {meminfo(*text, "MemTotal:"), meminfo(*text, "MemAvailable:")};
}

std::size_t training_threads(const Config& config) {
  return config.training.threads > 0 ? static_cast<std::size_t>(config.training.threads)
                                     : core_count();
}

std::uint64_t training_memory_max(const Config& config) {
  const std::int64_t own = config.training.memory_max;
  return static_cast<std::uint64_t>(own > 0 ? own : config.memory_max);
}

std::string version() { return LOAM_VERSION; }

std::string system_name() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return format("{} {} {}", name.sysname, name.release, name.machine);
}

}  // namespace loam::node
