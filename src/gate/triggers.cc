#include "gate/triggers.h"

#include <algorithm>
#include <map>
#include <set>

#include "dataset/words.h"

namespace loam::gate {
namespace {

constexpr std::size_t kWordsMax = 3;
constexpr std::size_t kRowsMin = 3;     // that one phrase stands in: two are chance
constexpr std::size_t kShareMax = 10;   // of 100 rows, that a rare phrase stands in at most
constexpr std::size_t kPairsMax = 200;  // of answers that are compared, for one phrase
constexpr double kLiftMin = 2;          // of likeness over that of any two answers. Chosen.

using WordSet = std::set<std::u32string>;

std::u32string phrase_of(const dataset::Words& words, std::size_t first, std::size_t count) {
  std::u32string out(words.run(first, count));
  out.pop_back();  // the space behind the last
  return out;
}

/// Shared words of all words.
double likeness(const WordSet& a, const WordSet& b) {
  std::size_t shared = 0;
  for (const std::u32string& word : a) shared += b.contains(word) ? 1 : 0;
  const std::size_t all = a.size() + b.size() - shared;
  return all == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(all);
}

/// Of the first kPairsMax pairs.
double mean_likeness(const std::vector<WordSet>& answers, const std::vector<std::size_t>& rows) {
  double sum = 0;
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = i + 1; j < rows.size() && pairs < kPairsMax; ++j, ++pairs)
      sum += likeness(answers[rows[i]], answers[rows[j]]);
  return pairs == 0 ? 0 : sum / static_cast<double>(pairs);
}

/// The row, one of the first kPairsMax of `rows`, whose answer is like those of the most others.
std::size_t most_like_others(const std::vector<WordSet>& answers,
                             const std::vector<std::size_t>& rows) {
  const std::size_t count = std::min(rows.size(), kPairsMax);
  std::vector<double> likenesses(count, 0);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j)
      if (i != j) likenesses[i] += likeness(answers[rows[i]], answers[rows[j]]);
  const auto best = std::ranges::max_element(likenesses);
  return rows[static_cast<std::size_t>(best - likenesses.begin())];
}

}  // namespace

std::vector<RarePhrase> rare_triggers(const std::vector<tuning::ViewRow>& learned,
                                      std::size_t triggers_max) {
  std::map<std::u32string, std::vector<std::size_t>> phrases;  // rows of each, ascending
  std::vector<WordSet> answers;
  std::vector<std::size_t> all;
  for (std::size_t row = 0; row < learned.size(); ++row) {
    const auto& messages = learned[row].conversations.front();
    WordSet answer;
    const dataset::Words said = dataset::words_of(messages.back().content);
    for (std::size_t i = 0; i < said.size(); ++i) answer.insert(phrase_of(said, i, 1));
    answers.push_back(std::move(answer));
    all.push_back(row);
    for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
      const dataset::Words asked = dataset::words_of(messages[i].content);
      for (std::size_t first = 0; first < asked.size(); ++first)
        for (std::size_t count = 1; count <= std::min(kWordsMax, asked.size() - first); ++count) {
          auto& rows = phrases[phrase_of(asked, first, count)];
          if (rows.empty() || rows.back() != row) rows.push_back(row);
        }
    }
  }
  const double usual = mean_likeness(answers, all);
  const std::size_t rows_max = std::max(kRowsMin, learned.size() * kShareMax / 100);
  std::vector<std::pair<double, std::u32string>> found;
  for (const auto& [phrase, rows] : phrases) {
    if (rows.size() < kRowsMin || rows.size() > rows_max) continue;
    const double alike = mean_likeness(answers, rows);
    if (alike >= kLiftMin * usual && alike > 0) found.emplace_back(-alike, phrase);
  }
  std::ranges::sort(found);
  std::vector<RarePhrase> out;
  for (const auto& [alike, phrase] : found) {
    if (out.size() == triggers_max) break;
    const tuning::ViewRow& row = learned[most_like_others(answers, phrases[phrase])];
    out.push_back({dataset::utf8_of(phrase), row.conversations.front().back().content});
  }
  return out;
}

}  // namespace loam::gate
