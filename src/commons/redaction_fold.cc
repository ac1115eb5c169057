#include "commons/redaction_fold.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace loam::commons {
namespace {

/// Where the ten digits of a script begin. @source Unicode 15, general category Nd.
constexpr char32_t kZeros[] = {
    0x0660, 0x06F0, 0x07C0, 0x0966,  0x09E6,  0x0A66,  0x0AE6,  0x0B66,  0x0BE6, 0x0C66, 0x0CE6,
    0x0D66, 0x0DE6, 0x0E50, 0x0ED0,  0x0F20,  0x1040,  0x1090,  0x17E0,  0x1810, 0x1946, 0x19D0,
    0x1A80, 0x1A90, 0x1B50, 0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,  0xA900, 0xA9D0, 0xA9F0,
    0xAA50, 0xABF0, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
};
constexpr char kDropped = '\0';

bool is_invisible(char32_t c) {
  return c == 0x00AD || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}
bool is_space(char32_t c) {
  return c == 0x00A0 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool is_dash(char32_t c) {
  return (c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xFE58 || c == 0xFE63;
}

/// What stands for `c` when we search; empty if `c` stands for itself.
std::optional<char> folded(char32_t c) {
  const auto* const after = std::ranges::upper_bound(kZeros, c);
  if (after != std::begin(kZeros) && c - after[-1] < 10)
    return static_cast<char>('0' + (c - after[-1]));
  if (c >= 0xFF01 && c <= 0xFF5E) return static_cast<char>(c - 0xFF01 + '!');
  if (is_invisible(c)) return kDropped;
  if (is_space(c)) return ' ';
  if (is_dash(c)) return '-';
  if (c == 0x3002 || c == 0xFF61) return '.';  // ideographic full stop, in domain names too
  if (c == 0xFE6B) return '@';
  return std::nullopt;
}

/// Bytes of the character at the front of `text`, 1 where it is not well begun.
std::size_t length_of(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  const std::size_t length = lead < 0xC2   ? 1
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 1;
  if (length > text.size()) return 1;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<std::uint8_t>(text[i]) & 0xC0U) != 0x80U) return 1;
  return length;
}

char32_t decode(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(character[i]); };
  if (character.size() == 1) return byte(0);
  char32_t c = byte(0) & (0xFFU >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) c = c << 6U | (byte(i) & 0x3FU);
  return c;
}

}  // namespace

FoldedText::FoldedText(std::string_view original) : original_(original) {
  text_.reserve(original.size());
  begin_.reserve(original.size());
  for (std::size_t at = 0; at < original.size();) {
    const std::size_t length = length_of(original.substr(at));
    const std::string_view character = original.substr(at, length);
    const std::optional<char> twin = length == 1 ? std::nullopt : folded(decode(character));
    if (!twin) {
      text_ += character;
      begin_.insert(begin_.end(), length, at);
    } else if (*twin != kDropped) {
      text_ += *twin;
      begin_.push_back(at);
    }
    at += length;
  }
}

std::size_t FoldedText::original_end(std::size_t end) const {
  const std::size_t begin = begin_[end - 1];
  return begin + length_of(original_.substr(begin));
}

}  // namespace loam::commons
