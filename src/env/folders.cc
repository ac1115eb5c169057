#include "env/folders.h"

#include <cstdlib>

namespace loam::env {

std::optional<std::string> variable(const char* name) {
  // Nothing of ours changes the environment.
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Result<Folders> find_folders(const std::optional<Path>& home) {
  if (home) {
    const Path root = std::filesystem::absolute(*home).lexically_normal();
    return Folders{root / "config", root / "data", root / "state", root / "cache", root / "run"};
  }
  const auto user = variable("HOME");
  const auto folder = [&](const char* name, const char* fallback) -> std::optional<Path> {
    if (const auto value = variable(name); value && Path(*value).is_absolute())
      return Path(*value) / "loam";
    if (!user) return std::nullopt;
    return Path(*user) / fallback / "loam";
  };
  const auto config = folder("XDG_CONFIG_HOME", ".config");
  const auto data = folder("XDG_DATA_HOME", ".local/share");
  const auto state = folder("XDG_STATE_HOME", ".local/state");
  const auto cache = folder("XDG_CACHE_HOME", ".cache");
  if (!config || !data || !state || !cache)
    return fail(ErrorCode::kNotFound, "find folders: HOME is not set",
                "set HOME or pass --home DIR");
  const auto runtime = variable("XDG_RUNTIME_DIR");
  return Folders{*config, *data, *state, *cache,
                 runtime ? Path(*runtime) / "loam" : *state / "run"};
}

}  // namespace loam::env
