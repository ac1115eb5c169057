// Transactions over the embedded database. Home of SQLite.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "env/disk.h"

namespace loam::store {

/// A prepared statement with its cursor. Parameters and columns count from 0. A statement that has
/// ended (step() gave false, run() came back) may be bound and used again.
///
/// Errors of step() and run(): AlreadyExists (a unique column), InvalidArgument (another
/// constraint), ResourceExhausted (disk full), Corrupt, PermissionDenied (read-only), Unavailable
/// (busy, I/O).
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view value);
  Statement& bind_blob(int index, ByteView value);
  Statement& bind_null(int index);

  /// Goes to the next row; false at the end.
  Result<bool> step();
  /// Runs a statement that yields no row; it can then be bound and run again.
  Result<> run();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  Bytes blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct State;
  explicit Statement(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One connection to one file. Not thread-safe: one owner thread, or under a Guarded.
class Database {
 public:
  /// Opens or makes the file (mode 0600): WAL, synchronous=FULL, secure_delete=ON, foreign keys on.
  /// Then applies those of `migrations` (SQL, in order, each in a transaction) that it has not yet;
  /// the number applied is kept in user_version. Empties the write-ahead log.
  /// @error Corrupt  not a database or damaged; the message says what to do.
  /// @error Unsupported  written by a newer Loam. PermissionDenied, ResourceExhausted.
  static Result<Database> open(const env::Path& path, std::span<const std::string_view> migrations);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Result<Statement> prepare(std::string_view sql);
  /// Runs SQL that yields no rows.
  Result<> execute(std::string_view sql);
  /// Runs `body` in one transaction: committed (durably) if it succeeds, else rolled back.
  /// Does not nest.
  Result<> transaction(const std::function<Result<>()>& body);

  /// Rows that the last INSERT, UPDATE or DELETE touched.
  std::int64_t changes() const;
  /// Moves the write-ahead log into the file, empties it, and overwrites what SQLite leaves of
  /// erased text between the rows of a page (page_gaps.h), so that it is in neither file. Takes
  /// time with the file's size.
  /// @error Unavailable  another connection read all the time, or wrote: to be called again.
  Result<> truncate_wal();
  /// Reads every page. @error Corrupt  the first damage found. Takes time with the file's size.
  Result<> check();

 private:
  struct State;
  Result<> migrate(std::span<const std::string_view> migrations);
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace loam::store
