#include "cli/invocation.h"

namespace loam::cli {

Result<env::Folders> folders_of(const Invocation& invocation) {
  if (invocation.globals.home) return env::find_folders(env::Path(*invocation.globals.home));
  const auto home = env::variable("LOAM_HOME");
  return env::find_folders(home ? std::optional(env::Path(*home)) : std::nullopt);
}

Result<node::LoadedConfig> config_of(const Invocation& invocation) {
  const auto folders = LOAM_TRY(folders_of(invocation));
  return node::load_config(node::default_sources(folders, invocation.globals.sets));
}

std::optional<std::string> given_url(const Invocation& invocation) {
  auto url = invocation.globals.url ? invocation.globals.url : env::variable("LOAM_URL");
  while (url && url->ends_with('/')) url->pop_back();
  return url;
}

}  // namespace loam::cli
