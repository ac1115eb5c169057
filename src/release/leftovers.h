// What takes and publications write for a while, and what one that was killed left behind.
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "env/disk.h"

namespace loam::release {

/// A new name for the folder in which a take works, below a node's cache: the texts of others lie
/// there for as long as its gate runs.
env::Path new_take_folder(const env::Path& cache);
/// Under which it has its adapter in the catalogue meanwhile.
std::string candidate_name(const crypto::Digest& adapter);

/// Removes the folders and candidates of takes. The caller holds ChannelBook::lock(), and so knows
/// that none is under way.
Result<> remove_takes(const env::Path& cache, catalog::Catalog& catalog);

/// Held while `folder`, a staging_folder(), is written and published. Makes the folder above it.
Result<env::FileLock> lock_staging(const env::Path& folder);
/// Removes what was staged there, and the file of the lock that the caller holds.
Result<> remove_staged(const env::Path& folder);
/// Removes what was staged below `data` by processes that are gone.
Result<> remove_left_staged(const env::Path& data);

}  // namespace loam::release
