// The words index on the disk. Inside this module only.
#pragma once

#include <set>

#include "commons/search.h"
#include "store/database.h"

namespace loam::commons {

/// Not thread-safe. Several may have one file open, one of them may write. Errors as
/// store::Statement.
class SearchTable {
 public:
  static Result<SearchTable> open(const env::Path& file);

  /// Runs `body`, which may call the writing functions below; none of them outside. At its end the
  /// votes on each record that they concern are counted, once.
  Result<> transaction(const std::function<Result<>()>& body);
  /// The log's number, and how many of its records were indexed.
  struct Place {
    std::int64_t log = 0;
    std::uint64_t next = 0;
  };
  /// Made if there is none.
  Result<Place> place(const std::string& origin);
  Result<> set_next(std::int64_t log, std::uint64_t next);
  /// Those that are known.
  Result<std::vector<std::string>> origins();
  /// Everything of a log, its place too.
  Result<> remove_log(std::int64_t log);

  /// A data or edit record; nothing if its author withdrew it in another log.
  Result<> add(std::int64_t log, const ledger::StoredRecord& stored,
               const ledger::Conversation& conversation);
  Result<> add_vote(std::int64_t log, const ledger::Record& vote);
  /// What a retraction in `log` says: what it names goes, and does not come back.
  /// @return whether something went.
  Result<bool> withdraw(std::int64_t log, const ledger::Record& retraction);
  /// One record and its words.
  Result<> remove(const ledger::RecordId& id);
  Result<bool> is_hidden(const ledger::RecordId& id);
  Result<> set_hidden(const ledger::RecordId& id, bool hidden);

  /// To be called in the transaction that removed words: the index is merged into one piece that
  /// does not hold them. DESIGN.md 8.6.
  Result<> drop_removed_words();
  /// Leaves no trace of removed words in the files. No other table may be reading.
  Result<> scrub() { return database_.truncate_wal(); }
  Result<> check() { return database_.check(); }

  /// `words` is an expression of words_expression().
  Result<SearchPage> search(const SearchQuery& query, const std::string& words);

 private:
  explicit SearchTable(store::Database database) : database_(std::move(database)) {}
  Result<> remove_doc(std::int64_t doc);
  Result<> count_votes();
  store::Database database_;
  std::set<crypto::Digest> voted_;  // in the transaction that runs: what is to be counted anew
};

}  // namespace loam::commons
