// Storage: where a log's records, bodies and state lie. Twins: SQLite, and memory for tests.
#pragma once

#include <functional>
#include <memory>

#include "env/disk.h"
#include "ledger/body.h"
#include "ledger/state.h"

namespace loam::ledger {

/// A record with its place in the log and what is left of its body.
struct StoredRecord {
  std::uint64_t index = 0;  // in the log, from 0
  Record record;
  bool retracted = false;
  bool blocked = false;  // the operator does not serve its body
};

/// Not thread-safe. What a transaction wrote is durable when it returns, and all or nothing.
/// Errors as store::Statement; Corrupt names the file.
class Storage : public StateReader {
 public:
  /// Runs `body`, which may call the writing functions below; none of them outside.
  virtual Result<> transaction(const std::function<Result<>()>& body) = 0;
  /// Adds the next record, applies `delta`, and erases what that says. @return its index.
  virtual Result<std::uint64_t> append(const Record& record, const Delta& delta) = 0;
  /// The body of a record that is there and not retracted; any other is not kept.
  virtual Result<> put_body(const RecordId& id, const SaltedBody& body) = 0;
  /// Remembers which record a post with this token became.
  virtual Result<> put_token(std::string_view token, const RecordId& id) = 0;
  virtual Result<std::optional<RecordId>> find_token(std::string_view token) = 0;
  virtual Result<> set_blocked(const RecordId& id, bool blocked) = 0;
  /// Erases what a record of another log retracts. No record says so in this one.
  virtual Result<> withdraw(const RecordId& id) = 0;
  /// Leaves no trace of erased bodies in files of the database that are not rewritten anyway.
  virtual Result<> scrub() = 0;
  /// Whether it is whole in itself; whether it says what the log says is verify_log()'s to find
  /// out. Takes time with its size. @error Corrupt.
  virtual Result<> check() = 0;

  virtual Result<std::uint64_t> size() = 0;
  /// Bytes of records [first, first + count), fewer at the end.
  virtual Result<std::vector<Bytes>> entries(std::uint64_t first, std::uint64_t count) = 0;
  virtual Result<std::optional<StoredRecord>> find(const RecordId& id) = 0;
  virtual Result<std::optional<StoredRecord>> at(std::uint64_t index) = 0;
  /// Empty if it has none, or none any more.
  virtual Result<std::optional<SaltedBody>> body(const RecordId& id) = 0;
  /// Records that refer to `id`, in the order of the log.
  virtual Result<std::vector<StoredRecord>> referring_to(const RecordId& id) = 0;
};

/// @error as store::Database::open.
Result<std::unique_ptr<Storage>> open_sqlite_storage(const env::Path& file);
std::unique_ptr<Storage> make_memory_storage();

}  // namespace loam::ledger
