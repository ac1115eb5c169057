// The corpus of testdata/redaction.tsv: what must be masked is, to the byte, and look-alikes stay.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "commons/redaction.h"

namespace loam::commons {
namespace {

struct Example {
  std::size_t line = 0;
  std::string subject;
  std::string text;
  std::vector<Mask> expected;
};

struct Score {
  std::size_t right = 0;   // masked exactly, and called what they are
  std::size_t missed = 0;  // labelled, and not masked exactly so
  std::size_t wrong = 0;   // masked, and not labelled exactly so
  double recall() const { return ratio(missed); }
  double precision() const { return ratio(wrong); }

 private:
  double ratio(std::size_t bad) const {
    return right + bad == 0 ? 1.0 : static_cast<double>(right) / static_cast<double>(right + bad);
  }
};

std::optional<Finding> finding_of(std::string_view name) {
  for (const Finding finding : {Finding::kEmail, Finding::kPhone, Finding::kIp, Finding::kIban,
                                Finding::kCard, Finding::kSecret, Finding::kSeedPhrase})
    if (finding_name(finding) == name) return finding;
  return std::nullopt;
}

std::string unescaped(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 1 < field.size();
    if (escape) ++i;
    text += escape && field[i] == 'n' ? '\n' : field[i];
  }
  return text;
}

/// Takes the labels out of "Write to ⟦email|a@example.org⟧." and says where they were.
void read_labels(std::string_view marked, Example& example) {
  constexpr std::string_view kOpen = "⟦";
  constexpr std::string_view kClose = "⟧";
  while (true) {
    const std::size_t open = marked.find(kOpen);
    example.text += marked.substr(0, open);
    if (open == std::string_view::npos) return;
    marked.remove_prefix(open + kOpen.size());
    const std::size_t bar = marked.find('|');
    const std::size_t close = marked.find(kClose);
    ASSERT_TRUE(bar < close && close != std::string_view::npos) << "line " << example.line;
    const std::optional<Finding> finding = finding_of(marked.substr(0, bar));
    ASSERT_TRUE(finding.has_value()) << "line " << example.line;
    const std::size_t begin = example.text.size();
    example.text += marked.substr(bar + 1, close - bar - 1);
    example.expected.push_back({begin, example.text.size(), *finding});
    marked.remove_prefix(close + kClose.size());
  }
}

std::vector<Example> read_corpus() {
  std::ifstream file(LOAM_TESTDATA "/redaction.tsv", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<Example> corpus;
  std::size_t line = 0;
  for (const std::string_view row : split(bytes, '\n')) {
    ++line;
    if (row.empty() || row.starts_with('#')) continue;
    const std::vector<std::string_view> fields = split(row, '\t');
    EXPECT_EQ(fields.size(), 3U) << "line " << line;
    if (fields.size() != 3) continue;
    Example example{line, std::string(fields[1]), {}, {}};
    read_labels(unescaped(fields[2]), example);
    corpus.push_back(std::move(example));
  }
  return corpus;
}

bool contains(const std::vector<Mask>& masks, const Mask& mask) {
  return std::ranges::find(masks, mask) != masks.end();
}

std::string shown(const Example& example, const Mask& mask) {
  return format("line {}: [{}] {}", example.line, finding_name(mask.finding),
                example.text.substr(mask.begin, mask.end - mask.begin));
}

/// Adds what `masks` say of an example to its kinds, to its subject and to the sum.
struct Scores {
  std::map<std::string, Score> of;

  void add(const Example& example, const std::vector<Mask>& masks) {
    for (const Mask& mask : example.expected) {
      const bool found = contains(masks, mask);
      for (Score* score : rows(example, mask)) ++(found ? score->right : score->missed);
      if (!found) log::info("redaction", "missed {}", shown(example, mask));
    }
    for (const Mask& mask : masks) {
      if (contains(example.expected, mask)) continue;
      for (Score* score : rows(example, mask)) ++score->wrong;
      log::info("redaction", "wrong  {}", shown(example, mask));
    }
  }

 private:
  std::vector<Score*> rows(const Example& example, const Mask& mask) {
    return {&of["kind " + std::string(finding_name(mask.finding))],
            &of["subject " + example.subject], &of["overall"]};
  }
};

TEST(RedactionCorpus, IsLargeAndHalfOfItAreLookAlikesThatStay) {
  const std::vector<Example> corpus = read_corpus();
  EXPECT_GE(corpus.size(), 420U);
  const auto look_alikes = std::ranges::count_if(
      corpus, [](const Example& example) { return example.expected.empty(); });
  EXPECT_GE(look_alikes * 2, std::ssize(corpus));
}

TEST(RedactionCorpus, IsMaskedWithFewMissesAndFewMistakes) {
  Scores scores;
  for (const Example& example : read_corpus()) scores.add(example, redact(example.text).masks);
  for (const auto& [name, score] : scores.of)
    log::info("redaction", "{:36} right {:3} missed {:2} wrong {:2} recall {:.3f} precision {:.3f}",
              name, score.right, score.missed, score.wrong, score.recall(), score.precision());

  // What carries a checksum or a prefix has no excuse.
  for (const char* const proven :
       {"kind card", "kind iban", "kind seed-phrase", "subject secret-marked"}) {
    EXPECT_GE(scores.of[proven].right, 25U) << proven;
    EXPECT_GE(scores.of[proven].recall(), 0.98) << proven;
  }
  EXPECT_GE(scores.of["overall"].recall(), 0.95);
  EXPECT_GE(scores.of["overall"].precision(), 0.97);
}

TEST(RedactionCorpus, MasksLieInTheTextInOrderAndOnCharacterBorders) {
  for (const Example& example : read_corpus()) {
    std::size_t done = 0;
    for (const Mask& mask : redact(example.text).masks) {
      EXPECT_LE(done, mask.begin) << "line " << example.line;
      EXPECT_LT(mask.begin, mask.end) << "line " << example.line;
      ASSERT_LE(mask.end, example.text.size()) << "line " << example.line;
      EXPECT_TRUE(is_valid_utf8(example.text.substr(0, mask.begin))) << "line " << example.line;
      EXPECT_TRUE(is_valid_utf8(example.text.substr(0, mask.end))) << "line " << example.line;
      done = mask.end;
    }
  }
}

TEST(RedactionCorpus, HasNothingLeftToMaskOnceItIsMasked) {
  for (const Example& example : read_corpus()) {
    const std::string once = redact(example.text).text;
    EXPECT_EQ(redact(once).text, once) << "line " << example.line;
  }
}

}  // namespace
}  // namespace loam::commons
