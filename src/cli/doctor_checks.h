// What the doctor concludes from what was seen. Pure: looks at nothing itself (doctor_look.h does).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace loam::cli {

enum class Health { kOk, kWarn, kFail };

struct Finding {
  Health health = Health::kOk;
  std::string name;  // "disk"
  std::string text;  // what was seen
  std::string fix;   // what to do; empty if it is well
};

struct FolderSeen {
  std::string name;  // "data"
  std::string path;
  std::optional<Error> error;  // why it cannot be written
};

struct ModelSeen {
  std::string name;
  std::string path;
  std::uint64_t bytes_expected = 0;
  std::optional<std::uint64_t> bytes;  // empty: the file is not there
};

enum class PortSeen { kFree, kOurs, kTaken, kRemote };

/// Everything the checks look at.
struct Surroundings {
  std::vector<FolderSeen> folders;
  std::string token_path;
  std::optional<unsigned> token_mode;  // empty: no token yet
  std::uint64_t free_bytes = 0;
  std::uint64_t memory_total = 0;
  std::uint64_t memory_available = 0;
  std::optional<Error> cpu_error;
  std::string cpu_class;
  std::optional<Error> config_error;
  std::size_t settings_changed = 0;
  std::string url;
  PortSeen port = PortSeen::kFree;
  bool node_running = false;  // its lock is held
  bool node_healthy = false;
  std::int64_t node_pid = 0;
  std::string program_version;
  std::string node_version;  // empty: not known
  std::optional<Error> catalog_error;
  std::vector<ModelSeen> models;
  std::int64_t wall_ms = 0;
  std::uint64_t open_files_max = 0;
  bool listens_on_loopback = true;
  bool has_tls = false;
};

/// One finding for each thing checked, in the order in which people read.
std::vector<Finding> diagnose(const Surroundings& seen);

std::string_view health_name(Health health);  // "ok", "warn", "fail"

}  // namespace loam::cli
