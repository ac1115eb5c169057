// The table of kept answers. Inside this module only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pool/answers.h"
#include "store/database.h"

namespace loam::pool {

/// Rows in, rows out. Not thread-safe.
class AnswerTable {
 public:
  /// Overwrites what a crash kept from being overwritten.
  static Result<AnswerTable> open(const env::Path& database);

  /// All or none. An answer that is there already stays as it is.
  Result<> insert(const std::vector<Answer>& answers);
  Result<std::optional<Answer>> find(const std::string& caller, const std::string& reply_id,
                                     std::uint32_t choice);
  Result<std::vector<Answer>> list(const std::string& caller, std::size_t answers_max);
  /// These overwrite what they delete, in the write-ahead log too. How many were deleted.
  Result<std::size_t> remove_conversation(const std::string& reply_id);
  Result<std::size_t> remove_of(const std::string& caller);
  Result<std::size_t> remove_older(std::int64_t made_before_ms);

 private:
  explicit AnswerTable(store::Database database) : database_(std::move(database)) {}
  Result<std::size_t> erase(store::Statement& statement);
  Result<> scrub();

  store::Database database_;
  bool unscrubbed_ = true;  // deleted text may still be in the files
};

}  // namespace loam::pool
