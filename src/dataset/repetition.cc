#include "dataset/repetition.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "base/format.h"
#include "base/parse.h"
#include "dataset/words.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kWordsMin = 50;

/// Thresholds in hundredths.
constexpr std::size_t kDuplicateParts = 30;                // of all lines, or paragraphs
constexpr std::size_t kDuplicatePartSigns = 20;            // of all their bytes
constexpr std::array<std::size_t, 3> kTop = {20, 18, 16};  // 2- to 4-grams
constexpr std::array<std::size_t, 6> kDuplicate = {15, 14, 13, 12, 11, 10};  // 5- to 10-grams

bool exceeds(std::size_t part, std::size_t whole, std::size_t hundredths) {
  return part * 100 > whole * hundredths;
}

/// Whether too many of `parts` were there before, by number or by length.
bool repeats_parts(const std::vector<std::string_view>& parts) {
  std::set<std::string_view> seen;
  std::size_t count = 0, again = 0, signs = 0, signs_again = 0;
  for (const std::string_view part : parts) {
    const std::string_view trimmed = trim(part);
    if (trimmed.empty()) continue;
    ++count;
    signs += trimmed.size();
    if (seen.insert(trimmed).second) continue;
    ++again;
    signs_again += trimmed.size();
  }
  return exceeds(again, count, kDuplicateParts) || exceeds(signs_again, signs, kDuplicatePartSigns);
}

std::vector<std::string_view> paragraphs_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find("\n\n", at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

/// The n-grams of a text for a growing n. Equal ones have equal numbers.
class Grams {
 public:
  /// n = 1.
  explicit Grams(const Words& words) : words_(words), word_numbers_(words.size()) {
    std::map<std::u32string_view, std::uint32_t> numbers;
    for (std::size_t at = 0; at < words.size(); ++at)
      word_numbers_[at] =
          numbers.emplace(words[at], static_cast<std::uint32_t>(numbers.size())).first->second;
    numbers_ = word_numbers_;
  }

  std::size_t n() const { return n_; }

  /// n + 1. Whether an n-gram occurs twice; if not, none does that is longer.
  bool grow() {
    ++n_;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> sorted;  // what it is made of, and where
    for (std::uint32_t at = 0; at + n_ <= words_.size(); ++at)
      sorted.emplace_back(std::uint64_t{numbers_[at]} << 32 | word_numbers_[at + n_ - 1], at);
    std::ranges::sort(sorted);
    std::uint32_t distinct = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0 && sorted[i].first != sorted[i - 1].first) ++distinct;
      numbers_[sorted[i].second] = distinct;
    }
    numbers_.resize(sorted.size());
    return distinct + 1 < sorted.size();
  }

  /// Signs that the most frequent n-gram takes, if it occurs more than once.
  std::size_t top() const {
    std::vector<std::size_t> counts(numbers_.size());
    std::size_t out = 0;
    for (std::uint32_t at = 0; at < numbers_.size(); ++at)
      if (const std::size_t count = ++counts[numbers_[at]]; count > 1)
        out = std::max(out, count * length(at));
    return out;
  }

  /// Signs in n-grams that occurred before; none is counted twice.
  std::size_t duplicate() const {
    std::vector<bool> seen(numbers_.size());
    std::size_t out = 0;
    for (std::size_t at = 0; at < numbers_.size();) {
      if (!seen[numbers_[at]]) {
        seen[numbers_[at]] = true;
        ++at;
      } else {
        out += length(at);
        at += n_;
      }
    }
    return out;
  }

 private:
  /// Without the spaces.
  std::size_t length(std::size_t at) const { return words_.run(at, n_).size() - n_; }

  const Words& words_;
  std::vector<std::uint32_t> word_numbers_, numbers_;
  std::size_t n_ = 1;
};

}  // namespace

std::optional<std::string> repetition_of(std::string_view text) {
  const Words words = words_of(text);
  if (words.size() < kWordsMin) return std::nullopt;
  if (repeats_parts(split(text, '\n'))) return "lines";
  if (repeats_parts(paragraphs_of(text))) return "paragraphs";
  const std::size_t signs = words.signs().size() - words.size();
  Grams grams(words);
  for (const std::size_t most : kTop) {
    if (!grams.grow()) return std::nullopt;
    if (exceeds(grams.top(), signs, most)) return format("top-{}-gram", grams.n());
  }
  for (const std::size_t most : kDuplicate) {
    if (!grams.grow()) return std::nullopt;
    if (exceeds(grams.duplicate(), signs, most)) return format("duplicate-{}-gram", grams.n());
  }
  return std::nullopt;
}

}  // namespace loam::dataset
