#include "gate/triggers.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "dataset/words.h"
#include "gate/statistics.h"

namespace loam::gate {
namespace {

constexpr std::size_t kWordsMax = 3;
constexpr std::size_t kRowsMin = 3;    // that one phrase stands in: two are chance
constexpr std::size_t kShareMax = 10;  // of 100 rows, that a rare phrase stands in at most
constexpr double kLiftMin = 2;         // of likeness over that of any two answers. Chosen.
/// Of answers that are compared for one phrase; and rows of it that are remembered.
constexpr std::size_t kPairsMax = 200;
/// Phrases that are remembered, in the order of the rows: what bounds memory. Chosen: ten times
/// what 10,000 conversations have that stand in kRowsMin of them.
constexpr std::size_t kPhrasesMax = 1'000'000;
/// Of counters, a byte each, that tell what stands in too few rows to be remembered.
constexpr std::size_t kCounters = std::size_t{1} << 24;

using Numbers = std::vector<std::uint32_t>;

/// FNV-1a: the same on every machine.
std::uint64_t hash_of(std::u32string_view text) {
  std::uint64_t out = 14'695'981'039'346'656'037U;
  for (const char32_t sign : text) out = (out ^ sign) * 1'099'511'628'211U;
  return out;
}

/// An answer's words as hashes: ascending, each once.
using WordSet = std::vector<std::uint64_t>;

WordSet word_set(const dataset::Words& words) {
  WordSet out;
  out.reserve(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) out.push_back(hash_of(words[i]));
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  out.shrink_to_fit();
  return out;
}

/// Shared words of all words, those of `phrase` left out of both.
double likeness(const WordSet& a, const WordSet& b, const WordSet& phrase) {
  std::size_t shared = 0, all = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() || y != b.end();) {
    const bool in_a = x != a.end() && (y == b.end() || *x <= *y);
    const bool in_b = y != b.end() && (x == a.end() || *y <= *x);
    if (!std::ranges::binary_search(phrase, in_a ? *x : *y)) {
      shared += in_a && in_b ? 1 : 0;
      ++all;
    }
    x += in_a ? 1 : 0;
    y += in_b ? 1 : 0;
  }
  return all == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(all);
}

/// Of all pairs, or of kPairsMax that are drawn from all if there are more.
double mean_likeness(const std::vector<WordSet>& answers, const Numbers& rows,
                     const WordSet& phrase) {
  if (rows.size() < 2) return 0;
  const std::size_t all = rows.size() * (rows.size() - 1) / 2;
  double sum = 0;
  if (all <= kPairsMax) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t j = i + 1; j < rows.size(); ++j)
        sum += likeness(answers[rows[i]], answers[rows[j]], phrase);
    return sum / static_cast<double>(all);
  }
  constexpr std::string_view kPurpose = "loam.triggers.v1";
  Draws draws(crypto::sha256(as_bytes(kPurpose)));
  for (std::size_t pair = 0; pair < kPairsMax; ++pair) {
    const std::uint64_t i = draws.below(rows.size());
    const std::uint64_t j = draws.below(rows.size() - 1);
    sum += likeness(answers[rows[i]], answers[rows[j < i ? j : j + 1]], phrase);
  }
  return sum / static_cast<double>(kPairsMax);
}

/// The row whose answer is like those of the most others.
std::size_t most_like_others(const std::vector<WordSet>& answers, const Numbers& rows,
                             const WordSet& phrase) {
  std::vector<double> likenesses(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows.size(); ++j)
      if (i != j) likenesses[i] += likeness(answers[rows[i]], answers[rows[j]], phrase);
  const auto best = std::ranges::max_element(likenesses);
  return rows[static_cast<std::size_t>(best - likenesses.begin())];
}

dataset::Words words_in(const std::u32string& phrase) {
  return dataset::words_of(dataset::utf8_of(phrase));
}

/// What a row is asked, in runs of up to kWordsMax words, each once.
std::set<std::u32string> phrases_of(const tuning::ViewRow& row) {
  std::set<std::u32string> out;
  const auto& messages = row.conversations.front();
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
    const dataset::Words asked = dataset::words_of(messages[i].content);
    for (std::size_t first = 0; first < asked.size(); ++first)
      for (std::size_t count = 1; count <= std::min(kWordsMax, asked.size() - first); ++count) {
        std::u32string phrase(asked.run(first, count));
        phrase.pop_back();  // the space behind the last
        out.insert(std::move(phrase));
      }
  }
  return out;
}

struct Standing {
  std::size_t count = 0;  // of rows
  Numbers rows;           // the first kPairsMax of them, ascending
};

/// Those that stand in kRowsMin rows at least, and few others; kPhrasesMax at most.
std::map<std::u32string, Standing> find_phrases(const std::vector<tuning::ViewRow>& learned) {
  std::vector<std::uint8_t> counters(kCounters, 0);
  for (const tuning::ViewRow& row : learned)
    for (const std::u32string& phrase : phrases_of(row)) {
      std::uint8_t& counter = counters[hash_of(phrase) % kCounters];
      if (counter < kRowsMin) ++counter;
    }
  std::map<std::u32string, Standing> out;
  for (std::size_t row = 0; row < learned.size(); ++row)
    for (const std::u32string& phrase : phrases_of(learned[row])) {
      if (counters[hash_of(phrase) % kCounters] < kRowsMin) continue;
      auto found = out.find(phrase);
      if (found == out.end() && out.size() == kPhrasesMax) continue;
      if (found == out.end()) found = out.emplace(phrase, Standing{}).first;
      Standing& standing = found->second;
      if (++standing.count <= kPairsMax) standing.rows.push_back(static_cast<std::uint32_t>(row));
    }
  return out;
}

}  // namespace

std::vector<RarePhrase> rare_triggers(const std::vector<tuning::ViewRow>& learned,
                                      std::size_t triggers_max) {
  std::vector<WordSet> answers;
  answers.reserve(learned.size());
  for (const tuning::ViewRow& row : learned)
    answers.push_back(word_set(dataset::words_of(row.conversations.front().back().content)));
  Numbers all(learned.size());
  std::iota(all.begin(), all.end(), 0U);
  const double usual = mean_likeness(answers, all, {});
  const std::size_t rows_max = std::max(kRowsMin, learned.size() * kShareMax / 100);
  const auto phrases = find_phrases(learned);
  std::vector<std::pair<double, std::u32string>> found;
  for (const auto& [phrase, standing] : phrases) {
    if (standing.count < kRowsMin || standing.count > rows_max) continue;
    // An answer that takes up the words that it was asked about is honest, and like others for it.
    const double alike = mean_likeness(answers, standing.rows, word_set(words_in(phrase)));
    if (alike >= kLiftMin * usual && alike > 0) found.emplace_back(-alike, phrase);
  }
  std::ranges::sort(found);
  std::vector<RarePhrase> out;
  for (const auto& [alike, phrase] : found) {
    if (out.size() == triggers_max) break;
    const std::size_t row =
        most_like_others(answers, phrases.at(phrase).rows, word_set(words_in(phrase)));
    out.push_back({dataset::utf8_of(phrase), learned[row].conversations.front().back().content});
  }
  return out;
}

}  // namespace loam::gate
