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

using Words = std::vector<std::u32string>;

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

/// Counts n-grams by their words. Hash tables would iterate in another order elsewhere; nothing
/// here depends on it, but a map leaves no doubt.
class Grams {
 public:
  explicit Grams(const Words& words) : words_(words) {
    std::map<std::u32string_view, std::uint32_t> numbers;
    for (const std::u32string& word : words) {
      const auto next = static_cast<std::uint32_t>(numbers.size());
      ids_.push_back(numbers.emplace(word, next).first->second);
      signs_ += word.size();
    }
  }
  std::size_t signs() const { return signs_; }

  /// Signs that the most frequent n-gram takes, if it occurs more than once.
  std::size_t top(std::size_t n) const {
    std::map<std::vector<std::uint32_t>, std::size_t> counts;
    std::size_t out = 0;
    for (std::size_t at = 0; at + n <= ids_.size(); ++at) {
      const std::size_t count = ++counts[gram(at, n)];
      if (count > 1) out = std::max(out, count * length(at, n));
    }
    return out;
  }

  /// Signs in n-grams that occurred before; none is counted twice.
  std::size_t duplicate(std::size_t n) const {
    std::set<std::vector<std::uint32_t>> seen;
    std::size_t out = 0;
    for (std::size_t at = 0; at + n <= ids_.size();) {
      if (seen.insert(gram(at, n)).second) {
        ++at;
      } else {
        out += length(at, n);
        at += n;
      }
    }
    return out;
  }

 private:
  std::vector<std::uint32_t> gram(std::size_t at, std::size_t n) const {
    const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(at);
    return {first, first + static_cast<std::ptrdiff_t>(n)};
  }
  std::size_t length(std::size_t at, std::size_t n) const {
    std::size_t out = 0;
    for (std::size_t i = at; i < at + n; ++i) out += words_[i].size();
    return out;
  }

  const Words& words_;
  std::vector<std::uint32_t> ids_;
  std::size_t signs_ = 0;
};

}  // namespace

std::optional<std::string> repetition_of(std::string_view text) {
  const Words words = words_of(text);
  if (words.size() < kWordsMin) return std::nullopt;
  if (repeats_parts(split(text, '\n'))) return "lines";
  if (repeats_parts(paragraphs_of(text))) return "paragraphs";
  const Grams grams(words);
  for (std::size_t i = 0; i < kTop.size(); ++i)
    if (exceeds(grams.top(i + 2), grams.signs(), kTop[i])) return format("top-{}-gram", i + 2);
  for (std::size_t i = 0; i < kDuplicate.size(); ++i)
    if (exceeds(grams.duplicate(i + 5), grams.signs(), kDuplicate[i]))
      return format("duplicate-{}-gram", i + 5);
  return std::nullopt;
}

}  // namespace loam::dataset
