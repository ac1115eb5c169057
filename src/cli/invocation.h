// What every verb is given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "cli/verb.h"
#include "env/clock.h"
#include "env/folders.h"
#include "node/config.h"

namespace loam::cli {

/// Options of every verb.
struct Globals {
  std::optional<std::string> home;
  std::optional<std::string> url;
  std::vector<std::string> sets;
  bool json = false;
  bool quiet = false;
  bool no_progress = false;
  bool yes = false;
};

struct Invocation {
  Globals& globals;
  Console& console;
  const Verb& root;
  env::Clock& clock;
};

/// The node's folders: --home, LOAM_HOME, else XDG.
Result<env::Folders> folders_of(const Invocation& invocation);
/// The settings in force for this call.
Result<node::LoadedConfig> config_of(const Invocation& invocation);
/// --url or LOAM_URL; empty if neither was given.
std::optional<std::string> given_url(const Invocation& invocation);

}  // namespace loam::cli
