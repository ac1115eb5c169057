// What SQLite's status codes mean to a caller. Inside this module only.
#pragma once

#include <sqlite3.h>

#include <string_view>

#include "base/result.h"
#include "env/disk.h"

namespace loam::store {

/// "store PATH: cannot ACTION: reason", with the code and the hint that fit `status`.
Error sqlite_error(sqlite3* db, const env::Path& path, std::string_view action, int status);

/// The Error for a file that is no database any more, with the way out.
Error damaged(const env::Path& path, std::string_view reason);

}  // namespace loam::store
