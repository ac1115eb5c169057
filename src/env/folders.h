// Where a node keeps its files.
#pragma once

#include <optional>
#include <string>

#include "env/disk.h"

namespace loam::env {

/// A variable of the process's environment; empty if unset. Call before threads are started.
std::optional<std::string> variable(const char* name);

/// The folders of one node. @source XDG Base Directory Specification 0.8; reference 14.3.
struct Folders {
  Path config;   // config.toml, owner token (0600)
  Path data;     // models, database, keys
  Path state;    // log, history of prompts typed, process id
  Path cache;    // partial downloads, what can be made again
  Path runtime;  // locks that end with the session
};

/// With `home` (--home or LOAM_HOME) everything is below that one folder; else the XDG folders
/// of the user, each with `/loam` behind. Creates nothing.
/// @error NotFound  neither HOME nor the XDG variables are set.
Result<Folders> find_folders(const std::optional<Path>& home);

}  // namespace loam::env
