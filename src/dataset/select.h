// From facts to rows: which records become rows of a data set, and why the others do not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataset/query.h"
#include "dataset/row.h"

namespace loam::dataset {

/// Which data set of given logs. The same recipe and heights give the same rows.
struct Recipe {
  Query query;
  Profile profile = Profile::kOwn;
  std::optional<crypto::Digest> split_seed = {};  // default_split_seed() if empty
};

/// Why a record that the query may match is no row. The names are part of the format.
enum class DropReason : std::uint8_t {
  kRetracted,      // or what it edits was
  kNoConsent,      // its header names no consent, scope or licence of the list
  kNoBody,         // not served any more, or nowhere
  kBadBody,        // not what its header commits to, or of another form
  kQuery,          // its body does not match
  kNoAnswer,       // does not end in an answer, or in an empty one
  kRepetition,     // the answer is a model's and repeats itself
  kSuperseded,     // an edit of it is a row
  kDuplicate,      // the same messages as another
  kNearDuplicate,  // nearly
  kAuthorCap,      // its author has enough rows
  kScope,          // its split is one that its scope does not allow
};
std::string_view reason_name(DropReason reason);
std::optional<DropReason> parse_reason(std::string_view name);

struct Dropped {
  ledger::RecordId id;
  DropReason reason = DropReason::kQuery;
  std::optional<ledger::RecordId> of = {};  // the one that stands in its place
  std::string rule = {};                    // of kRepetition
  friend bool operator==(const Dropped&, const Dropped&) = default;
};

/// A body that a data set needs, with whether it is a row's own.
struct UsedBody {
  ledger::RecordId id;
  bool is_row = false;
  ledger::SaltedBody body;
};

struct Selection {
  std::vector<Row> rows;         // by id
  std::vector<Dropped> dropped;  // by id
  std::vector<UsedBody> bodies;  // by id: of the rows, and of the originals of edits
  crypto::Digest split_seed{};
};

/// How many rows one writer may have (Facts::writer_of); empty: any number.
std::optional<std::int64_t> cap_of(const Recipe& recipe);

/// Whether the query may match `entry`: what is neither a row nor dropped must answer no here.
bool is_candidate(const Entry& entry, const Recipe& recipe, const Rating& rating);

/// What a header alone rules out.
std::optional<DropReason> ruled_out(const Facts& facts, const Entry& entry);

/// Reads bodies from the logs' sources, on `threads` threads for work and more for waiting.
/// @error Cancelled; as LogSource::body() where a source is not there at all.
Result<Selection> select(const Facts& facts, const Recipe& recipe, std::size_t threads,
                         const OnProgress& on_progress);

}  // namespace loam::dataset
