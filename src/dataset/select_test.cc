// Which records become rows, and what is said of the others.
#include "dataset/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/format.h"
#include "dataset/testing/made_log.h"

namespace loam::dataset {
namespace {

using ledger::RecordId;
using ledger::Vote;
using testing::MadeLog;

const char* const kStories[] = {
    "The lighthouse keeper counts the ships that pass before breakfast.",
    "Bread rises because yeast turns sugar into gas, and gluten holds it.",
    "A compass needle follows the field of the whole earth.",
    "Rust is iron that has met water and air for long enough.",
    "Swallows drink while they fly, low above the surface of a pond.",
    "Salt lowers the temperature at which water freezes on the road."};

bool go_on(std::string_view, std::uint64_t, std::uint64_t) { return true; }

Selection selected(const std::vector<MadeLog*>& logs, std::string_view query = "",
                   Profile profile = Profile::kOwn) {
  std::vector<LogInput> inputs;
  for (MadeLog* log : logs) inputs.push_back({log->key(), log});
  const auto facts = gather(std::move(inputs), ledger::kPublicNet, 2, go_on);
  EXPECT_TRUE(facts) << facts.error().message;
  Recipe recipe{Query::parse(query).value(), profile, crypto::Digest{}};
  auto out = select(*facts, recipe, 2, go_on);
  EXPECT_TRUE(out) << out.error().message;
  return *std::move(out);
}

bool is_row(const Selection& selection, const RecordId& id) {
  return std::ranges::binary_search(selection.rows, id, {}, &Row::id);
}

std::string why_not(const Selection& selection, const RecordId& id) {
  const auto found = std::ranges::find(selection.dropped, id, &Dropped::id);
  return found == selection.dropped.end() ? "" : std::string(reason_name(found->reason));
}

TEST(Select, WhatWasSharedIsARow) {
  MadeLog log;
  const RecordId id = log.data("What is it?", kStories[0]);
  const Selection selection = selected({&log});
  ASSERT_EQ(selection.rows.size(), 1U);
  EXPECT_EQ(selection.rows[0].id, id);
  EXPECT_EQ(selection.rows[0].answer().content, kStories[0]);
  EXPECT_EQ(synthetic_depth(selection.rows[0]), 1);
  ASSERT_EQ(selection.bodies.size(), 1U);
  EXPECT_TRUE(selection.bodies[0].is_row);
}

TEST(Select, WhatWasRetractedOrNotConsentedToIsNot) {
  MadeLog log;
  const RecordId retracted = log.data("a?", kStories[0]);
  const RecordId edit_of_it = log.edit(retracted, "a?", kStories[1]);
  log.retract(retracted);
  const RecordId no_consent = log.data("b?", kStories[2], {.has_consent = false});
  const RecordId other_licence = log.data("c?", kStories[3], {.licence = "CC-BY-NC-4.0"});
  const RecordId lost = log.data("d?", kStories[4]);
  log.lose_body(lost);
  const RecordId nothing = log.data("e?", " … ");
  const Selection selection = selected({&log});
  EXPECT_TRUE(selection.rows.empty());
  EXPECT_EQ(why_not(selection, retracted), "retracted");
  EXPECT_EQ(why_not(selection, edit_of_it), "retracted");
  EXPECT_EQ(why_not(selection, no_consent), "no-consent");
  EXPECT_EQ(why_not(selection, other_licence), "no-consent");
  EXPECT_EQ(why_not(selection, lost), "no-body");
  EXPECT_EQ(why_not(selection, nothing), "no-answer");
}

TEST(Select, OnlyWhatTheQueryMatches) {
  MadeLog log;
  const RecordId english = log.data("a?", kStories[0]);
  const RecordId german = log.data("b?", kStories[1], {.language = "de"});
  const RecordId other = log.data("c?", kStories[2], {.licence = "CC0-1.0"});
  const Selection selection = selected({&log}, "lang = en and licence = CC-BY-4.0");
  EXPECT_TRUE(is_row(selection, english));
  EXPECT_EQ(why_not(selection, german), "query");
  EXPECT_EQ(why_not(selection, other), "") << "its header says no: it is not spoken of";
}

TEST(Select, AnEditTakesTheOriginalsPlaceAndKeepsItsAnswer) {
  MadeLog log;
  const RecordId original = log.data("Why does bread rise?", kStories[1]);
  const RecordId edit =
      log.edit(original, "Why does bread rise?", "Yeast makes gas; the dough keeps it.");
  const Selection selection = selected({&log});
  ASSERT_EQ(selection.rows.size(), 1U);
  EXPECT_EQ(selection.rows[0].id, edit);
  EXPECT_EQ(selection.rows[0].original, original);
  EXPECT_EQ(selection.rows[0].rejected, kStories[1]);
  EXPECT_EQ(synthetic_depth(selection.rows[0]), 0);
  EXPECT_EQ(why_not(selection, original), "superseded");
  EXPECT_EQ(selection.bodies.size(), 2U);
}

TEST(Select, OfDuplicatesTheRatedOneStays) {
  MadeLog log;
  const RecordId plain = log.data("Why does bread rise?", kStories[1]);
  const RecordId rated = log.data("Why does bread rise?", std::string(kStories[1]));
  const RecordId shouted = log.data("WHY DOES BREAD RISE", std::string(kStories[1]) + "!");
  log.vote(rated, Vote::kUp);
  const Selection selection = selected({&log});
  ASSERT_EQ(selection.rows.size(), 1U);
  EXPECT_EQ(selection.rows[0].id, rated);
  EXPECT_EQ(why_not(selection, plain), "duplicate");
  EXPECT_EQ(why_not(selection, shouted), "near-duplicate");
}

TEST(Select, TheNewestVoteOfAnAuthorCounts) {
  MadeLog log;
  const RecordId id = log.data("a?", kStories[0]);
  log.vote(id, Vote::kUp);
  log.vote(id, Vote::kDown);
  EXPECT_EQ(selected({&log}).rows[0].rating.label, -1);
  const RecordId last = log.vote(id, Vote::kUp);
  EXPECT_EQ(selected({&log}).rows[0].rating.votes, std::vector<RecordId>{last});
  log.retract(last);
  EXPECT_EQ(selected({&log}).rows[0].rating.label, -1) << "the vote before it counts again";
}

TEST(Select, AmongStrangersOnesOwnVoteIsNothingAndTenRowsAreEnough) {
  MadeLog log;
  RecordId first;
  for (int i = 0; i < 14; ++i) {
    const std::string number = std::to_string(i * 7919);
    const RecordId id = log.data("Question " + number, format("Nothing but {0} is {0}{0}", number));
    if (i == 0) first = id;
  }
  log.vote(first, Vote::kUp);
  const Selection selection = selected({&log}, "", Profile::kNetwork);
  EXPECT_EQ(selection.rows.size(), 10U);
  EXPECT_EQ(std::ranges::count(selection.dropped, DropReason::kAuthorCap, &Dropped::reason), 4);
  for (const Row& row : selection.rows) EXPECT_TRUE(row.rating.votes.empty());
  EXPECT_EQ(selected({&log}, "cap 3").rows.size(), 3U);
}

TEST(Select, WhoGoesOnWithAnotherKeyIsTheSameWriter) {
  MadeLog log;
  const RecordId first = log.data("Why is the sea salt?", kStories[0]);
  log.vote(first, Vote::kUp);
  log.succeed(2);
  const RecordId vote = log.vote(first, Vote::kDown);
  EXPECT_EQ(selected({&log}).rows[0].rating.votes, std::vector<RecordId>{vote});
  EXPECT_TRUE(selected({&log}, "", Profile::kNetwork).rows[0].rating.votes.empty());
  log.succeed(3);
  log.data("Why does bread rise?", kStories[1]);
  const Selection capped = selected({&log}, "cap 1");
  EXPECT_EQ(capped.rows.size(), 1U);
  const Selection network = selected({&log}, "", Profile::kNetwork);
  ASSERT_EQ(network.rows.size(), 2U);
  EXPECT_EQ(network.rows[0].split, network.rows[1].split);
}

TEST(Select, ASuccessorRetractsFromAnotherLogAndAStrangerDoesNot) {
  MadeLog log, other(101, 7);
  const RecordId id = log.data("Why does bread rise?", kStories[1]);
  log.succeed(2);
  other.data("Why is the sea salt?", kStories[0]);
  other.set_author(8);
  other.retract(id);
  EXPECT_TRUE(is_row(selected({&log, &other}), id));
  other.set_author(2);
  other.retract(id);
  EXPECT_EQ(why_not(selected({&log, &other}), id), "retracted");
}

TEST(Select, ARecoveryKeyRetractsFromAnotherLog) {
  MadeLog log, other(101, 8);
  const RecordId id = log.data("Why does bread rise?", kStories[1]);
  log.recover_with(8);
  other.retract(id);
  EXPECT_EQ(why_not(selected({&log, &other}), id), "retracted");
}

/// The other log never saw author 1, so it believes that 1 goes on from 7 and has 8 to recover.
TEST(Select, WhatAnotherLogSaysOfAnAuthorsKeysWithdrawsNothingAndTakesNoVote) {
  for (const bool first : {true, false}) {  // in either order of the two logs
    MadeLog log(first ? 100 : 101, 1), other(first ? 101 : 100, 7);
    const RecordId id = log.data("Why does bread rise?", kStories[1]);
    log.vote(id, Vote::kUp);
    other.vote(id, Vote::kDown);
    other.recover_with(8);
    other.succeed(1);
    other.set_author(8);
    other.retract(id);
    const Selection selection = selected({&log, &other});
    ASSERT_TRUE(is_row(selection, id)) << why_not(selection, id);
    EXPECT_EQ(selection.rows[0].rating.up, 1);
    EXPECT_EQ(selection.rows[0].rating.down, 1);
    const Selection network = selected({&log, &other}, "", Profile::kNetwork);
    EXPECT_EQ(network.rows.at(0).rating.up, 0) << "one's own";
    EXPECT_EQ(network.rows.at(0).rating.down, 1);
  }
}

TEST(Select, TwoLogsThatNameEachOthersKeysAsSuccessorsComeToAnEnd) {
  MadeLog log, other(101, 2), third(102, 3);
  const RecordId first = log.data("Why is the sea salt?", kStories[0]);
  const RecordId second = other.data("Why does bread rise?", kStories[1]);
  const RecordId strangers = third.data("What is rust?", kStories[3]);
  log.vote(strangers, Vote::kUp);
  log.succeed(2);
  other.succeed(1);
  log.set_author(1);
  log.retract(strangers);
  const Selection selection = selected({&log, &other, &third}, "cap 1");
  for (const RecordId& id : {first, second, strangers})
    EXPECT_TRUE(is_row(selection, id)) << why_not(selection, id);
}

TEST(Select, AKeyRetractsUpTo52SuccessionsBackFromAnyLog) {
  MadeLog log(100, 10), other(101, 62);
  const RecordId first = log.data("Why is the sea salt?", kStories[0]);
  log.succeed(11);
  const RecordId second = log.data("Why does bread rise?", kStories[1]);
  for (std::uint8_t key = 12; key <= 63; ++key) log.succeed(key);
  other.set_author(63);
  other.retract(first);
  other.retract(second);
  const Selection selection = selected({&log, &other});
  EXPECT_TRUE(is_row(selection, first));
  EXPECT_EQ(why_not(selection, second), "retracted");
}

TEST(Select, ALanguageThatIsNoneIsUndetermined) {
  MadeLog log;
  log.data("a?", kStories[0], {.language = "en\n- injected: true"});
  log.data("b?", kStories[1], {.language = std::string(36, 'x')});
  log.data("c?", kStories[2], {.language = "zh-Hant-TW"});
  std::multiset<std::string> languages;
  for (const Row& row : selected({&log}).rows) languages.insert(row.conversation.language);
  EXPECT_EQ(languages, (std::multiset<std::string>{"und", "und", "zh-Hant-TW"}));
}

TEST(Select, ALogThatDoesNotAnswerForAnOriginalIsAnErrorAndNotAnotherRow) {
  MadeLog log;
  const RecordId original = log.data("Why does bread rise?", kStories[1]);
  log.edit(original, "Why does bread rise?", "Yeast makes gas; the dough keeps it.");
  EXPECT_TRUE(selected({&log}, "kind = edit").rows[0].original);
  log.hide_body(original);
  const auto facts = gather({{log.key(), &log}}, ledger::kPublicNet, 1, go_on);
  const Recipe recipe{.query = *Query::parse("kind = edit")};
  EXPECT_EQ(select(*facts, recipe, 1, go_on).error().code, ErrorCode::kDeadlineExceeded);
}

TEST(Select, AStrangersEditDoesNotPushOutWhatItEdits) {
  MadeLog log;
  const RecordId original = log.data("Why does bread rise?", kStories[1]);
  log.set_author(2);
  const RecordId edit =
      log.edit(original, "Why does bread rise?", "It is magic, buy my course instead.");
  EXPECT_FALSE(is_row(selected({&log}), original));
  const Selection selection = selected({&log}, "", Profile::kNetwork);
  EXPECT_TRUE(is_row(selection, original));
  EXPECT_TRUE(is_row(selection, edit));
}

TEST(Select, AModelThatRepeatsItselfIsLeftOutAndAPersonIsNot) {
  MadeLog log;
  std::string loop;
  for (int i = 0; i < 40; ++i) loop += "and so on and on ";
  const RecordId model = log.data("a?", loop);
  const RecordId person = log.data("b?", loop + "!", {.origin = ledger::Origin::kHuman});
  const Selection selection = selected({&log});
  EXPECT_EQ(why_not(selection, model), "repetition");
  EXPECT_TRUE(is_row(selection, person));
}

TEST(Select, ARecordThatMayNotBeMeasuredWithStaysOutOfTheOtherSplits) {
  MadeLog log;
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(i * 7919);
    log.data("Question " + number, format("Nothing but {0} is {0}{0}", number),
             {.scope = {.train = true}});
  }
  const Selection selection = selected({&log});
  for (const Row& row : selection.rows) EXPECT_EQ(row.split, Split::kTrain);
  EXPECT_EQ(selection.rows.size() + selection.dropped.size(), 60U);
  for (const Dropped& dropped : selection.dropped) EXPECT_EQ(dropped.reason, DropReason::kScope);
  EXPECT_FALSE(selection.dropped.empty()) << "of 60 questions some are drawn for measuring";
}

TEST(Select, TheOrderOfLogsDoesNotMatter) {
  MadeLog a(100, 1), b(101, 2);
  for (const char* story : kStories) (story[0] == 'S' ? a : b).data("Tell me.", story);
  const Selection one = selected({&a, &b}), other = selected({&b, &a});
  ASSERT_EQ(one.rows.size(), other.rows.size());
  for (std::size_t i = 0; i < one.rows.size(); ++i)
    EXPECT_EQ(encode_row(one.rows[i]), encode_row(other.rows[i]));
}

TEST(Select, AskingForMoreThanThereIsIsRefused) {
  MadeLog log;
  log.data("a?", kStories[0]);
  EXPECT_EQ(gather({{log.key(), &log, 2}}, ledger::kPublicNet, 1, go_on).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      gather({{log.key(), &log}, {log.key(), &log}}, ledger::kPublicNet, 1, go_on).error().code,
      ErrorCode::kInvalidArgument);
  const MadeLog other(102);
  EXPECT_EQ(gather({{other.key(), &log}}, ledger::kPublicNet, 1, go_on).error().code,
            ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace loam::dataset
