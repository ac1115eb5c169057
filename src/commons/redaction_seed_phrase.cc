// Seed phrases: BIP-39 words in a row, whose checksum is right or that stand alone.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/parse.h"
#include "commons/redaction_bip39.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

constexpr std::size_t kWordsMin = 12;
constexpr std::size_t kWordsMax = 24;
constexpr std::size_t kWordBytesMin = 3;  // of the English list
constexpr std::size_t kWordBytesMax = 8;

struct Word {
  std::size_t begin;
  std::size_t end;
  std::uint16_t index;
};

/// Between two words of a phrase: spaces, commas, quotes, a number with its point. At most 8 bytes,
/// which is more than a numbered list has. Signs of code end a phrase, and so do masks' brackets.
bool joins_words(std::string_view gap) {
  constexpr std::string_view kSigns = " \t\r\n,\"'`.):-|/";
  return gap.size() <= 8 &&
         std::ranges::all_of(gap, [&](char c) { return is_ascii_digit(c) || kSigns.contains(c); });
}

/// Begins or ends what holds only the phrase: a line, a colon, a quote, or the text itself.
bool is_edge(char c) {
  return c == '\n' || c == '\r' || c == ':' || c == '"' || c == '\'' || c == '`' || c == '=' ||
         c == '(' || c == ')' || c == '>' || c == '<' || c == '[' || c == ']' || c == '.';
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t')) --begin;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  // A numbered list: what stands before the first word is its number.
  if (begin > 1 && (text[begin - 1] == '.' || text[begin - 1] == ')') &&
      is_ascii_digit(text[begin - 2]))
    return true;
  return is_edge(byte_before(text, begin)) && is_edge(byte_at(text, end));
}

/// The list itself, or a part of it, is in order or in reverse; a drawn phrase hardly ever is.
bool is_alphabetical(std::span<const std::uint16_t> indexes) {
  return std::ranges::adjacent_find(indexes, std::ranges::greater_equal{}) == indexes.end() ||
         std::ranges::adjacent_find(indexes, std::ranges::less_equal{}) == indexes.end();
}

/// Adds the phrases of a row of words of the list. Phrases may overlap: all that could be one go.
void find_in_row(std::string_view text, const std::vector<Word>& row, std::vector<Mask>& found) {
  if (row.size() < kWordsMin) return;
  std::vector<std::uint16_t> indexes;
  for (const Word& word : row) indexes.push_back(word.index);
  const auto add = [&](std::size_t first, std::size_t count) {
    found.push_back({row[first].begin, row[first + count - 1].end, Finding::kSeedPhrase});
  };
  for (std::size_t first = 0; first + kWordsMin <= row.size(); ++first) {
    for (std::size_t count = kWordsMin; count <= kWordsMax && first + count <= row.size();
         count += 3) {
      const auto phrase = std::span(indexes).subspan(first, count);
      if (bip39_checksum_holds(phrase) && !is_alphabetical(phrase)) add(first, count);
    }
  }
  if (row.size() <= kWordsMax && row.size() % 3 == 0 && !is_alphabetical(indexes) &&
      stands_alone(text, row.front().begin, row.back().end))
    add(0, row.size());
}

}  // namespace

void find_seed_phrases(std::string_view folded, std::vector<Mask>& found) {
  std::vector<Word> row;
  const auto end_row = [&] {
    find_in_row(folded, row, found);
    row.clear();
  };
  for (std::size_t at = 0; at < folded.size();) {
    if (!is_ascii_letter(folded[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < folded.size() && is_ascii_letter(folded[at])) ++at;
    const std::size_t size = at - begin;
    if (!row.empty() && !joins_words(folded.substr(row.back().end, begin - row.back().end)))
      end_row();
    const std::optional<std::uint16_t> index =
        size < kWordBytesMin || size > kWordBytesMax
            ? std::nullopt
            : bip39_index(to_lower_ascii(folded.substr(begin, size)));
    if (index)
      row.push_back({begin, at, *index});
    else
      end_row();
  }
  end_row();
}

}  // namespace loam::commons
