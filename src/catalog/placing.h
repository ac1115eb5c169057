// Bringing a model file to its place. Inside this module only.
#pragma once

#include "base/result.h"
#include "catalog/catalog.h"
#include "crypto/digest.h"
#include "env/disk.h"

namespace loam::catalog {

/// Seen from the root, without "." and "..".
Result<env::Path> absolute_path(const env::Path& path);

/// Where a file of this hash lives in `folder`.
env::Path place_of(const env::Path& folder, const crypto::Digest& sha256);

/// Moves, links or copies `file` to its place in `folder`, durably, and whole or not at all: a file
/// that is there already is replaced. Where it then is; for kStay the absolute path of `file`.
/// @error Corrupt  a copy turned out to have another hash. ResourceExhausted  disk full.
Result<env::Path> place_file(const env::Path& folder, const env::Path& file,
                             const crypto::Digest& sha256, Placing placing);

/// Removes what a copy that was cut short by a crash left behind.
void remove_leftovers(const env::Path& folder);

}  // namespace loam::catalog
