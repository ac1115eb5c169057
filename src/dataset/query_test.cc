// Queries: what they choose, what they know without a body, and how they are refused.
#include "dataset/query.h"

#include <gtest/gtest.h>

#include "dataset/words.h"

namespace loam::dataset {
namespace {

/// A record with a body that queries are asked about.
struct Sample {
  ledger::Header header;
  ledger::Conversation conversation;
  Words words;
  std::int64_t rating = 1;

  Sample() {
    header.licence = "CC-BY-4.0";
    header.scope = {.train = true};
    header.time_s = 1'795'392'000;  // 2026-11-23T00
    header.models = {crypto::sha256(as_bytes("a model"))};
    conversation.model_name = "SmolLM2-135M";
    conversation.language = "en";
    words = words_of("What is open source? It is software that anyone may change.");
  }
  HeaderFacts facts() const { return {&header, rating, 3}; }
  Answer asked(std::string_view query, bool with_body = true) const {
    const auto parsed = Query::parse(query);
    EXPECT_TRUE(parsed) << query << ": " << parsed.error().message;
    const BodyFacts body{&conversation, &words};
    return parsed->matches(facts(), with_body ? &body : nullptr);
  }
};

TEST(Query, ChoosesByEveryField) {
  const Sample sample;
  for (const char* yes :
       {"", "kind = data", "licence = CC-BY-4.0", "licence in (CC0-1.0, CC-BY-4.0)",
        "scope = train", "scope != eval", "lang = en", "rating >= 1", "votes > 2",
        "time >= 2026-11-23", "time < 2026-11-23T01", "model = smollm2*",
        "model = \"SmolLM2-135M\"", "masked = 0", "words = \"Open Source\"", "words != closed",
        "not words = \"source open\"",
        "author = 0000000000000000000000000000000000000000000000000000000000000000"})
    EXPECT_EQ(sample.asked(yes), Answer::kYes) << yes;
  for (const char* no : {"kind = edit", "licence = CC0-1.0", "scope = eval", "lang = de",
                         "rating < 1", "time > 2026-11-23", "model = smol", "masked > 0"})
    EXPECT_EQ(sample.asked(no), Answer::kNo) << no;
}

TEST(Query, FindsAModelByItsHash) {
  const Sample sample;
  EXPECT_EQ(sample.asked("model = " + crypto::digest_hex(sample.header.models[0]), false),
            Answer::kYes);
}

TEST(Query, AndBindsTighterThanOrAndNotTightest) {
  const Sample sample;
  EXPECT_EQ(sample.asked("lang = de and lang = fr or rating = 1"), Answer::kYes);
  EXPECT_EQ(sample.asked("lang = de and (lang = fr or rating = 1)"), Answer::kNo);
  EXPECT_EQ(sample.asked("not lang = de and not (lang = fr)"), Answer::kYes);
  EXPECT_EQ(sample.asked("NOT lang = en OR rating = 1"), Answer::kYes);
}

TEST(Query, NeedsTheBodyOnlyWhereItDecides) {
  const Sample sample;
  EXPECT_EQ(sample.asked("lang = en", false), Answer::kNeedsBody);
  EXPECT_EQ(sample.asked("lang = en and rating < 0", false), Answer::kNo);
  EXPECT_EQ(sample.asked("words = open or rating = 1", false), Answer::kYes);
  EXPECT_EQ(sample.asked("not lang = en", false), Answer::kNeedsBody);
}

TEST(Query, TakesACapOfRowsAnAuthor) {
  EXPECT_EQ(Query::parse("rating > 0 cap 10")->author_cap(), 10);
  EXPECT_EQ(Query::parse("cap 3")->author_cap(), 3);
  EXPECT_EQ(Query::parse("rating > 0")->author_cap(), std::nullopt);
}

TEST(Query, NamesTheColumnOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"ratin > 1", "column 1: no field \"ratin\""},
      {"lang ~ en", "column 6:"},
      {"lang = ", "column 8: a value"},
      {"lang > en", "column 6: lang can be compared"},
      {"rating = much", "column 10: a whole number"},
      {"(lang = en", "column 11: \")\" must close the one of column 1"},
      {"lang = en lang = de", "column 11: \"lang\" was not expected"},
      {"words = \"open", "column 9: this quotation mark"},
      {"words = \"…\"", "column 9: there is no word"},
      {"words = \"äö\" x", "column 14: \"x\""},
      {"time = 2026-13-01", "column 8: a time is"},
      {"licence in CC0-1.0", "column 12: \"(\" must follow in"},
      {"licence in (CC0-1.0", "column 20:"},
      {"author = 12", "column 10: an author"},
      {"scope = sell", "column 9: a scope"},
      {"cap 0", "column 5: a number from 1"},
      {"and", "column 4: ="},
      {"=", "column 1: a field must stand here"}};
  for (const auto& [query, wanted] : cases) {
    const auto parsed = Query::parse(query);
    ASSERT_FALSE(parsed) << query;
    EXPECT_NE(parsed.error().message.find(wanted), std::string::npos) << parsed.error().message;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Query, IsBounded) {
  EXPECT_EQ(Query::parse(std::string(1'000'000, 'x')).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Query::parse(std::string(1000, '(')).error().code, ErrorCode::kResourceExhausted);
  std::string many = "votes=1";
  for (int i = 0; i < 300; ++i) many += " or votes=1";
  EXPECT_EQ(Query::parse(many).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(Query::parse("lang = \xff").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loam::dataset
