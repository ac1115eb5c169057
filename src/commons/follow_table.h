// What is remembered of one followed log besides its records. Inside this module only.
#pragma once

#include "commons/follow.h"
#include "store/database.h"

namespace loam::commons {

/// A record whose body could not be had yet.
struct PendingBody {
  std::uint64_t index = 0;
  std::int64_t tries = 0;
};

/// Not thread-safe. Errors as store::Statement.
class FollowTable {
 public:
  /// @error NotFound  `file` says nothing of a log, because adding it was cut short.
  static Result<FollowTable> open(const env::Path& file);
  static Result<FollowTable> make(const env::Path& file, const std::string& url,
                                  const std::string& key, std::int64_t now_ms);

  /// Without what only the copy knows: records and bodies.
  Result<FollowedLog> about();
  /// How a poll ended. An empty evidence leaves what was found before.
  Result<> set_polled(FollowState state, const std::string& trouble, const std::string& evidence,
                      std::int64_t now_ms);

  /// Records from 0 on whose bodies were asked for.
  Result<std::uint64_t> settled();
  /// The bodies up to there were asked for; those in `pending` could not be had.
  Result<> settle(std::uint64_t records, const std::vector<std::uint64_t>& pending);
  Result<std::vector<PendingBody>> pending(std::size_t bodies_max);
  /// Records from 0 on that were compared with the other logs; set by set_compared().
  Result<std::uint64_t> compared();
  Result<> set_compared(std::uint64_t records);
  Result<> drop_pending(std::uint64_t index);
  Result<> count_try(std::uint64_t index);

 private:
  explicit FollowTable(store::Database database) : database_(std::move(database)) {}
  store::Database database_;
};

}  // namespace loam::commons
