#include "commons/search_words.h"

#include <algorithm>

#include "base/format.h"
#include "base/utf8.h"

namespace loam::commons {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\f\v";

/// "words", as text of an expression, and how it is meant; empty if there is no word.
struct Part {
  std::string quoted;
  bool unwanted = false;
};

class Reader {
 public:
  explicit Reader(std::string_view typed) : typed_(typed) {}

  bool at_end() {
    at_ = std::min(typed_.find_first_not_of(kSpaces, at_), typed_.size());
    return at_ == typed_.size();
  }

  Result<Part> part() {
    const std::size_t begin = at_;
    Part out;
    if (typed_[at_] == '-') {
      out.unwanted = true;
      ++at_;
    }
    const bool phrase = at_ < typed_.size() && typed_[at_] == '"';
    std::string_view text = phrase ? LOAM_TRY(quoted()) : word();
    const bool prefix = !phrase && text.ends_with('*');
    if (prefix) text.remove_suffix(1);
    if (!std::ranges::any_of(text, is_text)) {
      if (!out.unwanted && !phrase && !prefix) return out;  // "why ?"
      return wrong(begin, "there is no letter and no digit in it");
    }
    out.quoted = format("\"{}\"{}", text, prefix ? "*" : "");
    return out;
  }

 private:
  /// Letters and digits; of what is not ASCII the index knows better.
  static bool is_text(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           static_cast<unsigned char>(c) >= 0x80;
  }

  std::unexpected<Error> wrong(std::size_t place, std::string_view why) const {
    const auto column = std::ranges::count_if(typed_.substr(0, place), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    });
    return fail(ErrorCode::kInvalidArgument, format("search, column {}: {}", column + 1, why),
                "words, \"words in this order\", begin*, and -word for what must not occur");
  }

  /// Behind the quotation mark at which it stands.
  Result<std::string_view> quoted() {
    const std::size_t end = typed_.find('"', at_ + 1);
    if (end == std::string_view::npos) return wrong(at_, "this quotation mark is not closed");
    const std::string_view text = typed_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return text;
  }

  std::string_view word() {
    const std::size_t end = std::min(typed_.find_first_of(" \t\r\n\f\v\"", at_), typed_.size());
    const std::string_view text = typed_.substr(at_, end - at_);
    at_ = end;
    return text;
  }

  std::string_view typed_;  // the caller's
  std::size_t at_ = 0;
};

void append(std::string& list, std::string_view separator, std::string_view item) {
  if (!list.empty()) list += separator;
  list += item;
}

}  // namespace

Result<std::string> words_expression(std::string_view typed) {
  if (typed.size() > kSearchBytesMax)
    return fail(
        ErrorCode::kInvalidArgument,
        format("search: {} bytes were typed, and {} are the most", typed.size(), kSearchBytesMax),
        "search for a few words of it");
  if (typed.contains('\0') || !is_valid_utf8(typed))
    return fail(ErrorCode::kInvalidArgument, "search: this is no UTF-8 text");
  Reader reader(typed);
  std::string wanted, unwanted;
  for (std::size_t parts = 0; !reader.at_end(); ++parts) {
    if (parts == kSearchPartsMax)
      return fail(ErrorCode::kInvalidArgument,
                  format("search: more than {} words and phrases", kSearchPartsMax),
                  "search for fewer");
    const Part part = LOAM_TRY(reader.part());
    if (part.quoted.empty()) continue;
    if (part.unwanted)
      append(unwanted, " OR ", part.quoted);
    else
      append(wanted, " ", part.quoted);  // unlike AND, a space passes over a part without a letter
  }
  if (wanted.empty() && typed.find_first_not_of(kSpaces) != std::string_view::npos)
    return fail(ErrorCode::kInvalidArgument, "search, column 1: there is no word that must occur",
                "add one");
  if (unwanted.empty()) return wanted;
  return format("({}) NOT ({})", wanted, unwanted);
}

}  // namespace loam::commons
