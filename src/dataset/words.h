// The words of a text under a rule that does not change, so that every machine finds the same
// duplicates: docs/formats/dataset.md, "Words". No library's Unicode tables take part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/body.h"

namespace loam::dataset {

/// The code points of valid UTF-8.
std::u32string code_points(std::string_view text);
/// And back: `signs` must be code points that UTF-8 has.
std::string utf8_of(std::u32string_view signs);

/// Words in their order. Their signs lie in one piece, with a space behind each word.
class Words {
 public:
  /// Adds those of a text, which must be UTF-8: lower-cased runs of letters and digits; each sign
  /// of a script without spaces is a word of its own.
  void add(std::string_view text);

  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::u32string_view operator[](std::size_t at) const {
    std::u32string_view out = run(at, 1);
    out.remove_suffix(1);
    return out;
  }
  /// `count` words from `first` on, which must be there, each with its space.
  std::u32string_view run(std::size_t first, std::size_t count) const {
    const std::size_t begin = first == 0 ? 0 : ends_[first - 1];
    return std::u32string_view(signs_).substr(begin, ends_[first + count - 1] - begin);
  }
  /// All of them, each with its space.
  std::u32string_view signs() const { return signs_; }
  friend bool operator==(const Words&, const Words&) = default;

 private:
  std::u32string signs_;
  std::vector<std::uint32_t> ends_;  // of each word, behind its space
};

Words words_of(std::string_view text);
/// Of all messages.
Words words_of(const ledger::Conversation& conversation);

/// Four bytes a sign, little-endian: what hashes are made of.
ByteView bytes_of(std::u32string_view signs);

/// Whether `phrase` occurs in `words`, all of it in a row. An empty one does.
bool contains_phrase(const Words& words, const Words& phrase);

}  // namespace loam::dataset
