// Folders that are made to be handed on: exports and data sets.
#pragma once

#include "env/disk.h"

namespace loam::env {

/// As make_folder(), but everybody may read what it makes (mode 0755): a web server is another
/// user. Folders that were there stay as they are.
Result<> make_public_folder(const Path& path);

}  // namespace loam::env
