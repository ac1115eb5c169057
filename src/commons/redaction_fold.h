// The text as the detectors see it: digits of any script as ASCII digits, full-width forms as their
// ASCII twins, dashes and spaces as '-' and ' ', invisible characters left out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace loam::commons {

/// A folded text with the way back. Positions count bytes.
class FoldedText {
 public:
  /// `original` must outlive this. Bytes that are not UTF-8 stand for themselves.
  explicit FoldedText(std::string_view original);

  std::string_view text() const { return text_; }
  /// Where the character of the folded byte `at` begins in the original.
  std::size_t original_begin(std::size_t at) const { return begin_[at]; }
  /// Where the original ends of what ends before the folded byte `end`; `end` is above 0.
  std::size_t original_end(std::size_t end) const;

 private:
  std::string_view original_;
  std::string text_;
  std::vector<std::size_t> begin_;  // of each byte of text_
};

}  // namespace loam::commons
