// What verbs share that work on a node's own files while it is stopped.
#pragma once

#include <string_view>

#include "env/disk.h"
#include "env/folders.h"

namespace loam::cli {

/// Keeps a node from starting on these folders while `action` is under way; makes what is missing.
/// @error AlreadyExists  a node runs there; the hint says how to stop it.
Result<env::FileLock> hold_home(const env::Folders& folders, std::string_view action);

}  // namespace loam::cli
