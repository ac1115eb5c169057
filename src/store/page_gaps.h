// What SQLite leaves between the cells of its pages. Inside this module only.
#pragma once

#include <sqlite3.h>

#include "base/result.h"
#include "env/disk.h"

namespace loam::store {

/// Overwrites with zeros what lies between the cell pointers and the cells of each b-tree page.
///
/// secure_delete zeroes a cell that is deleted, but when pages are balanced the cells that move to
/// a neighbour are copied, and the old bytes stay in the gap, where no later deletion finds them
/// (seen with SQLite 3.40.1). The write-ahead log must be empty: call after it was truncated. Reads
/// every page that is no overflow page.
/// @error Corrupt  the pages do not form trees. Unavailable  I/O.
Result<> zero_page_gaps(sqlite3* db, const env::Path& path);

}  // namespace loam::store
