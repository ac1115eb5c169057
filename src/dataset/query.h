// QUERY: which records of the logs belong into a data set. Grammar: docs/formats/dataset.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/words.h"
#include "ledger/record.h"

namespace loam::dataset {

/// Limits of a query; what is longer or deeper is refused.
inline constexpr std::size_t kQueryBytesMax = 4096;
inline constexpr std::size_t kQueryTermsMax = 256;
inline constexpr std::size_t kQueryDepthMax = 32;

/// What a query may ask of a record without its body.
struct HeaderFacts {
  const ledger::Header* header = nullptr;
  std::int64_t rating = 0;  // votes up less votes down, as the build's profile counts them
  std::int64_t votes = 0;
};

/// What it may ask of the body.
struct BodyFacts {
  const ledger::Conversation* conversation = nullptr;
  const Words* words = nullptr;  // of all messages
};

enum class Answer : std::uint8_t { kNo, kYes, kNeedsBody };

/// Immutable; may be used from several threads.
class Query {
 public:
  /// @error InvalidArgument  with the column, from 1, and what was expected there.
  /// @error ResourceExhausted  past the limits above.
  static Result<Query> parse(std::string_view text);

  /// Whether a record belongs in. kNeedsBody only if `body` is null.
  Answer matches(const HeaderFacts& header, const BodyFacts* body) const;

  /// As it was written.
  const std::string& text() const { return text_; }
  /// "cap N": at most so many rows of one author.
  std::optional<std::int64_t> author_cap() const { return author_cap_; }

  struct Node;  // in query.cc

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;  // null: everything
  std::optional<std::int64_t> author_cap_;
};

}  // namespace loam::dataset
