// Numbers of bank accounts and payment cards: written in groups, believed by their check digits.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "commons/redaction_checks.h"
#include "commons/redaction_detectors.h"
#include "commons/redaction_scan.h"

namespace loam::commons {
namespace {

bool joins_groups(char c) { return c == ' ' || c == '-' || c == '.'; }

/// Where an IBAN that begins at `begin` ends, single spaces or hyphens between its groups; 0 if
/// none does. Small letters count as capitals.
std::size_t end_of_iban(std::string_view text, std::size_t begin) {
  std::string iban;
  std::size_t length = 4;
  for (std::size_t at = begin; at < text.size(); ++at) {
    const char c = text[at];
    if (is_ascii_alnum(c)) {
      iban += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      if (iban.size() == 2) length = iban_length(iban);
      if (iban.size() == length)
        return iban_holds(iban) && !is_ascii_alnum(byte_at(text, at + 1)) ? at + 1 : 0;
    } else if (!joins_groups(c) || !is_ascii_alnum(byte_at(text, at + 1))) {
      return 0;
    }
    if (length == 0) return 0;
  }
  return 0;
}

/// A run of digits in a text.
struct Group {
  std::size_t begin;
  std::size_t size;
};

/// How cards are printed: sizes of the groups, zeros behind the last.
constexpr std::array<std::array<std::uint8_t, 5>, 11> kLayouts = {{
    {19},
    {18},
    {17},
    {16},
    {15},
    {14},
    {4, 4, 4, 4, 3},
    {4, 4, 4, 4},
    {4, 6, 5},
    {4, 6, 4},
    {8, 8},
}};

/// Where a card's number that begins with `groups[first]` ends; 0 if none does.
std::size_t end_of_card(std::string_view text, const std::vector<Group>& groups,
                        std::size_t first) {
  for (const auto& layout : kLayouts) {
    std::string digits;
    std::size_t end = 0;
    bool fits = true;
    for (std::size_t i = 0; fits && i < layout.size() && layout[i] != 0; ++i) {
      fits = first + i < groups.size() && groups[first + i].size == layout[i];
      if (!fits) break;
      const Group& group = groups[first + i];
      digits += text.substr(group.begin, group.size);
      end = group.begin + group.size;
    }
    if (fits && is_card_number(digits)) return end;
  }
  return 0;
}

/// The groups from `at` on that one space, hyphen or point each joins.
std::vector<Group> groups_at(std::string_view text, std::size_t at) {
  std::vector<Group> groups;
  while (true) {
    const std::size_t begin = at;
    while (is_ascii_digit(byte_at(text, at))) ++at;
    groups.push_back({begin, at - begin});
    if (!joins_groups(byte_at(text, at)) || !is_ascii_digit(byte_at(text, at + 1))) return groups;
    ++at;
  }
}

/// The digits at `at` are behind a decimal point or comma.
bool is_fraction_at(std::string_view text, std::size_t at) {
  const char before = byte_before(text, at);
  return (before == '.' || before == ',') && at > 1 && is_ascii_digit(text[at - 2]);
}

}  // namespace

void find_ibans(std::string_view folded, std::vector<Mask>& found) {
  for (std::size_t at = 0; at + 15 <= folded.size(); ++at) {
    if (!is_ascii_letter(folded[at]) || is_ascii_alnum(byte_before(folded, at))) continue;
    const std::size_t end = end_of_iban(folded, at);
    if (end == 0) continue;
    found.push_back({at, end, Finding::kIban});
    at = end - 1;
  }
}

void find_cards(std::string_view folded, std::vector<Mask>& found) {
  for (std::size_t at = 0; at < folded.size();) {
    if (!is_ascii_digit(folded[at])) {
      ++at;
      continue;
    }
    const std::vector<Group> groups = groups_at(folded, at);
    const std::size_t run_end = groups.back().begin + groups.back().size;
    const bool word = is_ascii_alnum(byte_before(folded, at)) || byte_before(folded, at) == '_';
    const bool word_behind =
        is_ascii_alnum(byte_at(folded, run_end)) || byte_at(folded, run_end) == '_';
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if ((i == 0 && word) || is_fraction_at(folded, groups[i].begin)) continue;
      const std::size_t end = end_of_card(folded, groups, i);
      if (end == 0 || (end == run_end ? word_behind : is_fraction_at(folded, end + 1))) continue;
      found.push_back({groups[i].begin, end, Finding::kCard});
      while (i + 1 < groups.size() && groups[i + 1].begin < end) ++i;
    }
    at = run_end;
  }
}

}  // namespace loam::commons
