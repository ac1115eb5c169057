#include "dataset/query_terms.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/format.h"
#include "base/parse.h"
#include "dataset/words.h"

namespace loam::dataset {
namespace {

/// Fields that are numbers may be compared by size; the others only be equal or not.
struct FieldName {
  std::string_view name;
  Field field;
  bool is_number;
};
constexpr auto kFields = std::to_array<FieldName>({{"author", Field::kAuthor, false},
                                                   {"kind", Field::kKind, false},
                                                   {"lang", Field::kLanguage, false},
                                                   {"licence", Field::kLicence, false},
                                                   {"masked", Field::kMasked, true},
                                                   {"model", Field::kModel, false},
                                                   {"rating", Field::kRating, true},
                                                   {"scope", Field::kScope, false},
                                                   {"time", Field::kTime, true},
                                                   {"votes", Field::kVotes, true},
                                                   {"words", Field::kWords, false}});

constexpr auto kSigns =
    std::to_array<std::pair<std::string_view, Comparison>>({{"=", Comparison::kEqual},
                                                            {"!=", Comparison::kNotEqual},
                                                            {"<", Comparison::kLess},
                                                            {"<=", Comparison::kAtMost},
                                                            {">", Comparison::kMore},
                                                            {">=", Comparison::kAtLeast}});

std::unexpected<TermFault> at_value(std::string why) {
  return std::unexpected(TermFault{TermFault::At::kValue, std::move(why)});
}

/// "2026-11-23" or "2026-11-23T14" in UTC; seconds since 1970.
std::optional<std::int64_t> time_of(std::string_view text) {
  const bool has_hour = text.size() == 13 && text[10] == 'T';
  if ((text.size() != 10 && !has_hour) || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_int(text.substr(0, 4));
  const auto month = parse_int(text.substr(5, 2));
  const auto day = parse_int(text.substr(8, 2));
  const auto hour = has_hour ? parse_int(text.substr(11, 2)) : std::optional<std::int64_t>(0);
  if (!year || !month || !day || !hour || *hour < 0 || *hour > 23 || *year < 0 || *month < 0 ||
      *day < 0)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400} +
         *hour * 3600;
}

}  // namespace

std::string field_names() {
  std::string out;
  for (const FieldName& field : kFields) out.append(out.empty() ? "" : ", ").append(field.name);
  return out;
}

std::expected<Term, TermFault> Term::make(std::string_view field, std::string_view sign,
                                          std::string_view value) {
  const auto* named = std::ranges::find(kFields, field, &FieldName::name);
  if (named == kFields.end())
    return std::unexpected(TermFault{
        TermFault::At::kField, format("no field \"{}\"; there are {}", field, field_names())});
  const auto* compared =
      std::ranges::find(kSigns, sign, &std::pair<std::string_view, Comparison>::first);
  if (compared == kSigns.end())
    return std::unexpected(TermFault{TermFault::At::kSign, format("no comparison \"{}\"", sign)});
  Term out;
  out.field_ = named->field;
  out.comparison_ = compared->second;
  if (!named->is_number && out.comparison_ > Comparison::kNotEqual)
    return std::unexpected(
        TermFault{TermFault::At::kSign, format("{} can be compared with = and != only", field)});
  if (auto read = out.read_value(value); !read) return std::unexpected(read.error());
  return out;
}

std::expected<void, TermFault> Term::read_value(std::string_view value) {
  text_ = value;
  switch (field_) {
    case Field::kKind:
      if (value != "data" && value != "edit") return at_value("a kind is data or edit");
      break;
    case Field::kScope:
      if (value != "train" && value != "eval") return at_value("a scope is train or eval");
      break;
    case Field::kModel:
      if (const auto digest = crypto::parse_digest(value)) digest_ = *digest;
      is_prefix_ = value.ends_with('*');
      text_ = to_lower_ascii(is_prefix_ ? value.substr(0, value.size() - 1) : value);
      break;
    case Field::kAuthor: {
      const auto key = crypto::parse_digest(value);  // a key is of the same length
      if (!key) return at_value("an author is a key: 64 hexadecimal characters");
      digest_ = *key;
      break;
    }
    case Field::kRating:
    case Field::kVotes:
    case Field::kMasked: {
      const auto number = parse_int(value);
      if (!number) return at_value("a whole number must stand here");
      number_ = *number;
      break;
    }
    case Field::kTime: {
      const auto time = time_of(value);
      if (!time) return at_value("a time is 2026-11-23 or 2026-11-23T14, in UTC");
      number_ = *time;
      break;
    }
    case Field::kWords:
      words_ = words_of(value);
      if (words_.empty()) return at_value("there is no word in it");
      break;
    case Field::kLicence:
    case Field::kLanguage:
      if (value.empty()) return at_value("it is empty");
      break;
  }
  return {};
}

bool Term::holds(std::int64_t left) const {
  switch (comparison_) {
    case Comparison::kEqual: return left == number_;
    case Comparison::kNotEqual: return left != number_;
    case Comparison::kLess: return left < number_;
    case Comparison::kAtMost: return left <= number_;
    case Comparison::kMore: return left > number_;
    case Comparison::kAtLeast: return left >= number_;
  }
  return false;
}

bool Term::needs_body() const {
  return field_ == Field::kLanguage || field_ == Field::kMasked || field_ == Field::kWords ||
         (field_ == Field::kModel && !digest_);
}

bool Term::is_equal(const HeaderFacts& facts, const BodyFacts* body) const {
  const ledger::Header& header = *facts.header;
  switch (field_) {
    case Field::kKind: return ledger::kind_name(header.kind) == text_;
    case Field::kScope: return text_ == "train" ? header.scope.train : header.scope.eval;
    case Field::kLicence: return header.licence == text_;
    case Field::kAuthor: return header.author == *digest_;
    case Field::kLanguage: return body->conversation->language == text_;
    case Field::kWords: return contains_phrase(*body->words, words_);
    case Field::kModel: {
      if (digest_) return std::ranges::find(header.models, *digest_) != header.models.end();
      const std::string name = to_lower_ascii(body->conversation->model_name);
      return is_prefix_ ? name.starts_with(text_) : name == text_;
    }
    case Field::kRating:
    case Field::kVotes:
    case Field::kTime:
    case Field::kMasked: break;
  }
  return false;
}

Answer Term::matches(const HeaderFacts& facts, const BodyFacts* body) const {
  if (needs_body() && body == nullptr) return Answer::kNeedsBody;
  bool yes = false;
  switch (field_) {
    case Field::kRating: yes = holds(facts.rating); break;
    case Field::kVotes: yes = holds(facts.votes); break;
    case Field::kTime: yes = holds(facts.header->time_s); break;
    case Field::kMasked: yes = holds(body->conversation->masked); break;
    default: yes = is_equal(facts, body) == (comparison_ == Comparison::kEqual); break;
  }
  return yes ? Answer::kYes : Answer::kNo;
}

}  // namespace loam::dataset
