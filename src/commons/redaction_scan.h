// Walking over a text with RE2, and the small questions about bytes that detectors share.
#pragma once

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"

namespace loam::commons {

inline bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_ascii_alnum(char c) { return is_ascii_digit(c) || is_ascii_letter(c); }

/// The byte before `at`, a newline at the beginning.
inline char byte_before(std::string_view text, std::size_t at) {
  return at == 0 ? '\n' : text[at - 1];
}
/// The byte at `at`, a newline at the end.
inline char byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\n';
}

/// "(?:a|b|c)" of rows that are alternatives themselves.
inline std::string either(std::span<const std::string_view> rows) {
  std::string expression;
  for (const std::string_view row : rows) {
    expression += expression.empty() ? "(?:" : "|";
    expression += row;
  }
  return expression + ')';
}

/// A pattern that is compiled once; a mistake in it dies at the first use, which a test makes.
class Pattern {
 public:
  explicit Pattern(std::string_view expression) : re_(expression, options()) {
    LOAM_CHECK(re_.ok());
  }

  /// Calls `visit(groups)` for each match from left to right. groups[0] is the match, an absent
  /// group has no data. `visit` returns the position to go on from; it moves on at least one byte.
  template <std::size_t kGroups, class Visit>
  void each(std::string_view text, Visit visit) const {
    std::array<re2::StringPiece, kGroups> pieces;
    std::array<std::string_view, kGroups> groups;
    std::size_t at = 0;
    while (at <= text.size() && re_.Match(text, at, text.size(), RE2::UNANCHORED, pieces.data(),
                                          static_cast<int>(kGroups))) {
      std::ranges::transform(pieces, groups.begin(), [](const re2::StringPiece& piece) {
        return std::string_view(piece.data(), piece.size());
      });
      const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
      at = std::max(begin + 1, visit(groups));
    }
  }

 private:
  static RE2::Options options() {
    RE2::Options options;
    options.set_max_mem(64 << 20);  // chosen: large scripts' classes keep their automaton
    options.set_log_errors(false);
    return options;
  }
  RE2 re_;
};

/// Where `piece`, a view into `text`, begins and ends in it.
inline std::size_t begin_of(std::string_view text, std::string_view piece) {
  return static_cast<std::size_t>(piece.data() - text.data());
}
inline std::size_t end_of(std::string_view text, std::string_view piece) {
  return begin_of(text, piece) + piece.size();
}

}  // namespace loam::commons
