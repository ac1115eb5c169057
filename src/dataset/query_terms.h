// One condition of a query: a field, how it is compared, and with what. Inside this module only.
#pragma once

#include <expected>

#include "dataset/query.h"

namespace loam::dataset {

/// What is wrong with a condition, and which of its three parts says so.
struct TermFault {
  enum class At : std::uint8_t { kField, kSign, kValue };
  At at = At::kValue;
  std::string why;
};

enum class Field : std::uint8_t {
  kKind,
  kModel,
  kLicence,
  kScope,
  kLanguage,
  kAuthor,
  kRating,
  kVotes,
  kTime,
  kMasked,
  kWords,
};
/// For messages: "author, kind, lang ...".
std::string field_names();

enum class Comparison : std::uint8_t { kEqual, kNotEqual, kLess, kAtMost, kMore, kAtLeast };

class Term {
 public:
  Term() = default;
  /// `field` in lower case.
  static std::expected<Term, TermFault> make(std::string_view field, std::string_view sign,
                                             std::string_view value);
  Answer matches(const HeaderFacts& header, const BodyFacts* body) const;

 private:
  std::expected<void, TermFault> read_value(std::string_view value);
  bool holds(std::int64_t left) const;
  bool is_equal(const HeaderFacts& header, const BodyFacts* body) const;
  bool needs_body() const;

  Field field_ = Field::kKind;
  Comparison comparison_ = Comparison::kEqual;
  std::int64_t number_ = 0;
  std::string text_ = {};
  bool is_prefix_ = false;
  std::optional<crypto::Digest> digest_ = {};
  Words words_ = {};
};

}  // namespace loam::dataset
