#include "store/sqlite_error.h"

#include "base/format.h"

namespace loam::store {
namespace {

ErrorCode code_of(int status) {
  switch (status & 0xff) {
    case SQLITE_CONSTRAINT:
      return status == SQLITE_CONSTRAINT_UNIQUE || status == SQLITE_CONSTRAINT_PRIMARYKEY ||
                     status == SQLITE_CONSTRAINT_ROWID
                 ? ErrorCode::kAlreadyExists
                 : ErrorCode::kInvalidArgument;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM: return ErrorCode::kResourceExhausted;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return ErrorCode::kPermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

std::string hint_of(int status) {
  switch (status & 0xff) {
    case SQLITE_FULL: return "free some disk space, then try again; nothing was lost";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "make the file and its folder writable for this user, or use another home (--home "
             "DIR)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another program has the file open: close it and try again";
    case SQLITE_IOERR: return "the disk reported an error: check it before going on";
    default: return {};
  }
}

}  // namespace

Error sqlite_error(sqlite3* db, const env::Path& path, std::string_view action, int status) {
  const char* reason = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(status);
  const int primary = status & 0xff;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) return damaged(path, reason);
  return {code_of(status), format("store {}: cannot {}: {}", path.string(), action, reason),
          hint_of(status)};
}

Error damaged(const env::Path& path, std::string_view reason) {
  return {
      ErrorCode::kCorrupt, format("store {}: the file is damaged: {}", path.string(), reason),
      format("stop the node and put back a backup of {0}, or move {0} and {0}-wal away to begin "
             "with an empty one",
             path.string())};
}

}  // namespace loam::store
