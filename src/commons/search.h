// Search: words in the bodies of this node's log and of the logs that it follows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "env/disk.h"
#include "ledger/log.h"

namespace loam::commons {

/// What its votes say of a record, the newest of each author counting.
enum class Rating : std::uint8_t { kNone, kUp, kDown };  // kNone: as many up as down, or no votes

/// What is looked for. What is empty does not narrow the search.
struct SearchQuery {
  std::string words = {};     // as typed, see search_words.h; empty: everything, newest first
  std::string model = {};     // its name, or the SHA-256 of its file in lower-case hexadecimal
  std::string language = {};  // BCP 47; "en" finds "en-GB" too
  std::string log = {};       // origin
  std::optional<crypto::PublicKey> author = {};
  std::optional<ledger::Kind> kind = {};
  std::optional<Rating> rating = {};
  std::optional<std::int64_t> since_s = {};  // from then on
  std::optional<std::int64_t> until_s = {};  // before then
  std::size_t hits_max = 20;
  std::size_t offset = 0;  // hits before the first one that is wanted
};

struct SnippetPiece {
  std::string text;
  bool hit = false;  // one of the words
  friend bool operator==(const SnippetPiece&, const SnippetPiece&) = default;
};

struct SearchHit {
  ledger::RecordId id;
  std::string log;  // origin
  std::uint64_t index = 0;
  ledger::Kind kind = ledger::Kind::kData;
  crypto::PublicKey author{};
  std::int64_t time_s = 0;
  std::string language, model, licence;
  std::optional<ledger::RecordId> edits = {};
  std::int64_t votes_up = 0, votes_down = 0;
  double score = 0;                   // bm25, larger is better; 0 without words
  std::vector<SnippetPiece> snippet;  // of the text, around the words
};

/// Best first, and the same query on the same index gives the same order.
struct SearchPage {
  std::vector<SearchHit> hits;
  bool more = false;        // there are hits behind these
  bool rebuilding = false;  // the index does not hold all records yet: `done` of `of`
  std::uint64_t done = 0, of = 0;
};

/// A log as the index reads it. Its functions are thread-safe.
struct SearchedLog {
  std::string origin;
  std::function<Result<std::uint64_t>()> size;
  std::function<Result<std::optional<ledger::StoredRecord>>(std::uint64_t index)> at;
  std::function<Result<std::optional<ledger::SaltedBody>>(const ledger::RecordId& id)> body;
};
/// `log` must outlive what comes back.
SearchedLog searched(ledger::Log& log);

/// Thread-safe. The index is derived: it is a file of its own, filled from the logs in their order,
/// and built anew when it is missing or damaged. What a log erases is erased from it; private
/// answers never get into it.
class Search {
 public:
  /// Cannot fail: what is wrong with the file is an error of search() until it is mended.
  static std::unique_ptr<Search> open(env::Path file);
  virtual ~Search() = default;

  /// Searches `log` too, in place of one of the same origin. What it retracted since the index was
  /// last here is erased before this returns; the rest is read in the background.
  virtual void attach(SearchedLog log) = 0;
  /// No longer; its words are erased.
  virtual Result<> detach(const std::string& origin) = 0;

  /// A few records that are not indexed yet are indexed first.
  /// @error InvalidArgument  as words_expression(). Unavailable  no index now.
  virtual Result<SearchPage> search(const SearchQuery& query) = 0;

  /// Erases what is indexed of these records: to be called after a retraction is committed and
  /// before it is acknowledged. Takes time with the size of the index.
  /// @error Unavailable  they are found no more, and traces of them may be in the file, which
  ///        another program reads: to be called again.
  virtual Result<> erase(std::span<const ledger::RecordId> ids) = 0;
  /// A record that the operator blocked is not shown. Call before it is blocked, and after it is
  /// no longer.
  virtual Result<> set_blocked(const ledger::RecordId& id, bool blocked) = 0;
  virtual Result<bool> is_blocked(const ledger::RecordId& id) = 0;
  /// Erases the words of logs that are not attached (any more).
  virtual Result<> forget_others() = 0;
  /// Indexes what `origin` holds, and one record of it whose body came late.
  virtual Result<> catch_up(const std::string& origin) = 0;
  virtual Result<> index_again(const std::string& origin, std::uint64_t index) = 0;
};

}  // namespace loam::commons
