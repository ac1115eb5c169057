#include "cli/doctor_checks.h"

#include <algorithm>

#include "base/format.h"
#include "base/parse.h"

namespace loam::cli {
namespace {

// Chosen: a small model and its downloads fit; below the second figure even the log may not.
constexpr std::uint64_t kDiskWarnBytes = 2ULL << 30;
constexpr std::uint64_t kDiskFailBytes = 50ULL << 20;
constexpr std::uint64_t kMemoryWarnBytes = 512ULL << 20;
// Each open stream is a file; 500 of them and the stores must fit.
constexpr std::uint64_t kOpenFilesWarn = 1024;
// A clock before the first release or decades ahead was never set.
constexpr std::int64_t kClockFirstMs = 1'763'856'000'000;  // 2025-11-23
constexpr std::int64_t kClockLastMs = 4'102'444'800'000;   // 2100-01-01

Finding ok(std::string name, std::string text) {
  return {Health::kOk, std::move(name), std::move(text), ""};
}
Finding warn(std::string name, std::string text, std::string fix) {
  return {Health::kWarn, std::move(name), std::move(text), std::move(fix)};
}
Finding bad(std::string name, std::string text, std::string fix) {
  return {Health::kFail, std::move(name), std::move(text), std::move(fix)};
}

Finding check_config(const Surroundings& seen) {
  if (seen.config_error)
    return bad("config", seen.config_error->message,
               seen.config_error->hint.empty() ? "mend it with: loam config edit"
                                               : seen.config_error->hint);
  return ok("config", seen.settings_changed == 0
                          ? std::string("all settings at their defaults")
                          : format("{} settings changed", seen.settings_changed));
}

void check_folders(const Surroundings& seen, std::vector<Finding>& out) {
  for (const auto& folder : seen.folders) {
    const std::string name = "folder " + folder.name;
    if (folder.error)
      out.push_back(bad(name, folder.error->message,
                        format("make {} writable, or use --home DIR", folder.path)));
    else
      out.push_back(ok(name, folder.path));
  }
}

Finding check_token(const Surroundings& seen) {
  if (!seen.token_mode) return ok("token", "made when a node first starts");
  if ((*seen.token_mode & 077U) != 0)
    return bad("token",
               format("{} can be read by others (mode {:04o})", seen.token_path, *seen.token_mode),
               format("chmod 600 {}", seen.token_path));
  return ok("token", format("{} (mode {:04o})", seen.token_path, *seen.token_mode));
}

Finding check_disk(const Surroundings& seen) {
  const std::string text = format("{} free for models", human_bytes(seen.free_bytes));
  const char* fix = "remove models that you do not need (loam rm), or use --home on another disk";
  if (seen.free_bytes < kDiskFailBytes) return bad("disk", text, fix);
  if (seen.free_bytes < kDiskWarnBytes) return warn("disk", text, fix);
  return ok("disk", text);
}

Finding check_memory(const Surroundings& seen) {
  const std::string text = format("{} of {} available", human_bytes(seen.memory_available),
                                  human_bytes(seen.memory_total));
  if (seen.memory_total == 0) return warn("memory", "not known", "nothing to do");
  if (seen.memory_available < kMemoryWarnBytes)
    return warn("memory", text, "close other programs, or load smaller models");
  return ok("memory", text);
}

Finding check_cpu(const Surroundings& seen) {
  if (seen.cpu_error)
    return bad("processor", seen.cpu_error->message,
               seen.cpu_error->hint.empty() ? "use a machine with a newer processor"
                                            : seen.cpu_error->hint);
  return ok("processor", format("has what {} needs", seen.cpu_class));
}

Finding check_node(const Surroundings& seen) {
  if (seen.node_healthy && !seen.node_version.empty() && seen.node_version != seen.program_version)
    return warn("node",
                format("{} answers with version {}, this program is {}", seen.url,
                       seen.node_version, seen.program_version),
                "restart it: loam down; loam up");
  if (seen.node_healthy && !seen.node_running && seen.port != PortSeen::kRemote)
    return warn("node", format("a node on other folders answers on {}", seen.url),
                "give its --home to manage it, or start your own elsewhere: loam up --listen "
                "127.0.0.1:PORT");
  if (seen.node_healthy) return ok("node", format("answers on {}", seen.url));
  if (seen.node_running)
    return bad("node", format("process {} does not answer on {}", seen.node_pid, seen.url),
               "see its log (`loam config path`, state), then: loam down; loam up");
  switch (seen.port) {
    case PortSeen::kTaken:
      return bad("node", format("none runs, and another program listens on {}", seen.url),
                 "stop that program, or: loam config set listen 127.0.0.1:PORT");
    case PortSeen::kRemote:
      return bad("node", format("nothing answers on {}", seen.url),
                 "start it there, or leave --url and LOAM_URL out");
    case PortSeen::kFree:
    case PortSeen::kOurs: break;
  }
  return ok("node", format("none runs; {} is free", seen.url));
}

Finding check_exposure(const Surroundings& seen) {
  if (seen.listens_on_loopback) return ok("network", "reachable from this machine only");
  if (!seen.has_tls)
    return warn("network", "reachable from other machines, without TLS",
                "set tls.certificate and tls.key: keys and prompts cross the network in the clear");
  return ok("network", "reachable from other machines, with TLS and keys");
}

void check_models(const Surroundings& seen, std::vector<Finding>& out) {
  if (seen.catalog_error) {
    out.push_back(bad("models", seen.catalog_error->message,
                      seen.catalog_error->hint.empty() ? "loam ls" : seen.catalog_error->hint));
    return;
  }
  bool all_well = true;
  for (const auto& model : seen.models) {
    if (model.bytes == model.bytes_expected) continue;
    all_well = false;
    const std::string fix = format("fetch it again with loam pull, or: loam rm {}", model.name);
    if (!model.bytes)
      out.push_back(bad("model " + model.name, format("{} is gone", model.path), fix));
    else
      out.push_back(bad(
          "model " + model.name,
          format("{} has {} bytes instead of {}", model.path, *model.bytes, model.bytes_expected),
          fix));
  }
  if (seen.models.empty())
    out.push_back(warn("models", "there is none yet", "fetch one with: loam pull SOURCE"));
  else if (all_well)
    out.push_back(ok("models", format("{}, all files there with their sizes", seen.models.size())));
}

Finding check_clock(const Surroundings& seen) {
  if (seen.wall_ms < kClockFirstMs || seen.wall_ms > kClockLastMs)
    return bad("clock", "the date of this machine is wrong", "set it, best by NTP");
  return ok("clock", "plausible");
}

Finding check_open_files(const Surroundings& seen) {
  const std::string text = format("{} open files allowed", seen.open_files_max);
  if (seen.open_files_max < kOpenFilesWarn)
    return warn("limits", text, "raise the hard limit (ulimit -Hn) for many clients at once");
  return ok("limits", text);
}

}  // namespace

std::string_view health_name(Health health) {
  switch (health) {
    case Health::kOk: return "ok";
    case Health::kWarn: return "warn";
    case Health::kFail: return "fail";
  }
  return "";
}

std::vector<Finding> diagnose(const Surroundings& seen) {
  std::vector<Finding> out{check_config(seen)};
  check_folders(seen, out);
  out.push_back(check_token(seen));
  out.push_back(check_disk(seen));
  out.push_back(check_memory(seen));
  out.push_back(check_cpu(seen));
  out.push_back(check_clock(seen));
  out.push_back(check_open_files(seen));
  out.push_back(check_node(seen));
  out.push_back(check_exposure(seen));
  check_models(seen, out);
  return out;
}

}  // namespace loam::cli
