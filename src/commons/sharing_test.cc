// From an answer to a record: redaction, the queue, a crash at the worst moment, erasure.
#include "commons/sharing.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>

#include "commons/licence.h"
#include "commons/share_table.h"
#include "env/file.h"
#include "env/random.h"
#include "store/testing/planted_gap.h"

namespace loam::commons {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

/// Stands still; read by the sharing's thread too.
class StillClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return now_ms_; }
  std::int64_t steady_ms() override { return now_ms_; }
  void advance_ms(std::int64_t by) { now_ms_ += by; }

 private:
  std::atomic<std::int64_t> now_ms_ = 1'700'000'000'000;
};

class SharingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    open();
  }
  void TearDown() override {
    sharing_.reset();
    log_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// (Re)opens queue and log; `posts_max` are taken at a time.
  void open(std::size_t posts_max = 100) {
    sharing_.reset();
    log_.reset();
    log_ = std::move(*ledger::Log::open(
        {.folder = folder_ / "log", .head_file = folder_ / "head", .waiting_max = posts_max},
        *ledger::open_keys(folder_ / "keys"), *ledger::open_sqlite_storage(folder_ / "ledger.db"),
        clock_));
    sharing_ = std::move(*Sharing::open(folder_ / "sharing.db", *log_, clock_, {}));
  }
  Result<ledger::Record> rate(const ledger::RecordId& id, ledger::Vote vote) {
    return sharing_->rate(log_->find(id)->value(), vote);
  }
  static ShareRequest request(std::string question = "Why is the sky blue?") {
    ShareRequest out;
    out.conversation.messages = {
        {"user", std::move(question), ledger::Origin::kHuman},
        {"assistant", "Because air scatters blue light more than red.", ledger::Origin::kModel}};
    out.conversation.model_name = "tiny";
    out.conversation.replay = codec::Object{{"output_tokens", codec::Array{1, 2, 3}}};
    out.models = {crypto::sha256(as_bytes("tiny"))};
    out.licence = "CC-BY-4.0";
    out.scope = {.train = true, .eval = true};
    out.answer = "chatcmpl-1";
    return out;
  }
  ledger::RecordId edit_now(const ledger::RecordId& id, std::string_view answer) {
    const auto done = sharing_->share(*sharing_->edit_of(id, answer), When::kNow);
    EXPECT_TRUE(done) << done.error().message;
    return done->record.value_or(ledger::RecordId());
  }
  bool home_holds(std::string_view text) {
    EXPECT_TRUE(log_->flush());
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_))
      if (file.is_regular_file() &&
          env::read_file(file.path(), 1U << 30)->find(text) != std::string::npos)
        return true;
    return false;
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-sharing-");
  StillClock clock_;
  std::unique_ptr<ledger::Log> log_;
  std::unique_ptr<Sharing> sharing_;
};

TEST_F(SharingTest, APreviewIsWhatIsPublishedAndSignsNothing) {
  const auto preview = sharing_->preview(request("Mail ann@example.org: why is the sky blue?"));
  ASSERT_TRUE(preview) << preview.error().message;
  EXPECT_EQ(preview->conversation.messages[0].content, "Mail [email]: why is the sky blue?");
  ASSERT_EQ(preview->masked.size(), 1U);
  EXPECT_EQ(preview->masked[0].original, "ann@example.org");
  EXPECT_TRUE(preview->conversation.replay.is_null());  // its tokens would tell
  EXPECT_EQ(preview->header.consent, consent_id());
  EXPECT_EQ(preview->header.net, ledger::kPublicNet);
  EXPECT_EQ(*log_->size(), 0U);
  const auto shared =
      sharing_->share(request("Mail ann@example.org: why is the sky blue?"), When::kNow);
  ASSERT_TRUE(shared) << shared.error().message;
  const auto body = log_->body(*shared->record);
  EXPECT_EQ(*ledger::parse_conversation((*body)->body), preview->conversation);
  const ledger::Header posted = (*log_->find(*shared->record))->record.header;
  EXPECT_EQ(preview->header.log_key_hash, posted.log_key_hash);
  EXPECT_EQ(preview->header.body_bucket, posted.body_bucket);
  EXPECT_FALSE(home_holds("ann@example.org"));
}

TEST_F(SharingTest, WhatWasNotMaskedCanBeReplayed) {
  const auto shared = sharing_->share(request(), When::kNow);
  const auto body = ledger::parse_conversation((*log_->body(*shared->record))->body);
  EXPECT_FALSE(body->replay.is_null());
  EXPECT_EQ(body->language, "en");
}

TEST_F(SharingTest, IsPublishedAtTheFirstFullHourAfterTheTimeToThink) {
  const auto queued = sharing_->share(request(), When::kAfterCooling);
  ASSERT_TRUE(queued);
  EXPECT_EQ(queued->publishes_ms % kHourMs, 0);
  EXPECT_GE(queued->publishes_ms, clock_.wall_ms() + 600'000);
  EXPECT_LT(queued->publishes_ms, clock_.wall_ms() + 600'000 + kHourMs);
  clock_.advance_ms(queued->publishes_ms - clock_.wall_ms() - 1);
  EXPECT_EQ(*sharing_->publish_due(), 0U);
  open();  // a restart forgets nothing
  clock_.advance_ms(1);
  ASSERT_TRUE(sharing_->publish_due());
  EXPECT_EQ(*log_->size(), 1U);
  EXPECT_EQ(sharing_->list(10)->at(0).state, ShareState::kPublished);
}

TEST_F(SharingTest, ACancelledOneLeavesNoTrace) {
  const auto queued =
      sharing_->share(request("a planted-needle-two question"), When::kAfterCooling);
  EXPECT_TRUE(home_holds("planted-needle-two"));
  ASSERT_TRUE(sharing_->cancel(queued->id));
  EXPECT_FALSE(home_holds("planted-needle-two"));
  EXPECT_FALSE(home_holds(queued->id));
  EXPECT_EQ(sharing_->cancel(queued->id).error().code, ErrorCode::kNotFound);
  clock_.advance_ms(10 * kHourMs);
  EXPECT_EQ(*sharing_->publish_due(), 0U);
}

TEST_F(SharingTest, WhatACrashKeptFromBeingOverwrittenIsOverwrittenAtTheNextStart) {
  ASSERT_TRUE(sharing_->share(request(), When::kAfterCooling));
  sharing_.reset();
  ASSERT_TRUE(store::testing::plant_in_gap(folder_ / "sharing.db", "planted-needle-eight"));
  EXPECT_TRUE(home_holds("planted-needle-eight"));
  open();
  EXPECT_FALSE(home_holds("planted-needle-eight"));
}

TEST_F(SharingTest, WhatIsPublishedCannotBeCancelled) {
  const auto shared = sharing_->share(request(), When::kNow);
  EXPECT_EQ(sharing_->cancel(shared->id).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(SharingTest, ACrashBetweenLogAndQueueMakesNoSecondRecord) {
  const auto queued = sharing_->share(request(), When::kAfterCooling);
  std::filesystem::copy(folder_ / "sharing.db", folder_ / "before.db");
  for (const char* name : {"-wal", "-shm"})
    if (env::is_plain_file(folder_ / ("sharing.db" + std::string(name))))
      std::filesystem::copy(folder_ / ("sharing.db" + std::string(name)),
                            folder_ / ("before.db" + std::string(name)));
  ASSERT_TRUE(sharing_->hurry(queued->id));
  sharing_.reset();
  // As if the queue had not heard of it: the log has the record, the queue still wants to post it.
  for (const char* name : {"", "-wal", "-shm"}) {
    std::filesystem::remove(folder_ / ("sharing.db" + std::string(name)));
    if (env::is_plain_file(folder_ / ("before.db" + std::string(name))))
      std::filesystem::rename(folder_ / ("before.db" + std::string(name)),
                              folder_ / ("sharing.db" + std::string(name)));
  }
  open();
  const auto cancelled = sharing_->cancel(queued->id);  // too late, and it says so
  EXPECT_EQ(cancelled.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(cancelled.error().hint.starts_with("loam retract loam1"));
  ASSERT_TRUE(sharing_->hurry(queued->id));
  EXPECT_EQ(*log_->size(), 1U);
}

TEST_F(SharingTest, AFailureToPublishAtOnceSaysThatItStaysQueued) {
  open(0);  // a log that takes nothing
  const auto failed = sharing_->share(request(), When::kNow);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kResourceExhausted);
  const Submission queued = sharing_->list(10)->at(0);
  EXPECT_EQ(queued.state, ShareState::kQueued);
  EXPECT_TRUE(failed.error().message.contains(queued.id + ": not published, but queued"));
  EXPECT_TRUE(failed.error().hint.ends_with("loam share --cancel " + queued.id + " takes it back"));
  EXPECT_TRUE(sharing_->hurry(queued.id).error().message.contains("queued"));
  EXPECT_FALSE(sharing_->hurry("share-none").error().message.contains("queued"));
  open();
  clock_.advance_ms(30'000);
  ASSERT_TRUE(sharing_->publish_due());
  EXPECT_EQ(*log_->size(), 1U);
}

TEST_F(SharingTest, AStandingConsentCoversWhatItNamesUntilItIsWithdrawn) {
  EXPECT_FALSE(*sharing_->standing());
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0", "CC-BY-4.0"}, {.train = false, .eval = true}));
  open();  // a restart forgets nothing
  const auto given = *sharing_->standing();
  ASSERT_TRUE(given);
  EXPECT_EQ(given->given_ms, clock_.wall_ms());
  EXPECT_TRUE(given->covers("CC0-1.0", {.eval = true}));
  EXPECT_TRUE(given->covers("CC-BY-4.0", {.eval = true}));
  EXPECT_FALSE(given->covers("Apache-2.0", {.eval = true}));
  EXPECT_FALSE(given->covers("CC0-1.0", {.train = true, .eval = true}));
  ASSERT_TRUE(sharing_->give_standing({"CC0-1.0"}, {.train = true}));
  EXPECT_FALSE((*sharing_->standing())->covers("CC-BY-4.0", {.train = true}));
  EXPECT_FALSE(sharing_->give_standing({"CC-BY-NC-4.0"}, {.train = true}));
  EXPECT_FALSE(sharing_->give_standing({}, {.train = true}));
  EXPECT_FALSE(sharing_->give_standing({"CC0-1.0"}, {}));
  ASSERT_TRUE(sharing_->withdraw_standing());
  EXPECT_FALSE(*sharing_->standing());
}

TEST_F(SharingTest, AStandingConsentToOtherWordsIsNone) {
  {
    ShareTable table = *ShareTable::open(folder_ / "sharing.db");
    ASSERT_TRUE(table.set_standing({{"CC0-1.0"}, {.eval = true}, 1}, crypto::sha256({})));
  }
  EXPECT_FALSE(*sharing_->standing());
}

TEST_F(SharingTest, ACallersSubmissionsAreListedHoweverManyOthersThereAre) {
  auto own = request();
  own.caller = "key_1";
  const auto first = sharing_->share(own, When::kAfterCooling);
  ASSERT_TRUE(first) << first.error().message;
  clock_.advance_ms(1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sharing_->share(request(), When::kAfterCooling));
  const std::vector<Submission> listed = *sharing_->list(2, "key_1");
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].id, first->id);
  EXPECT_EQ(sharing_->list(2)->size(), 2U);
  EXPECT_TRUE(sharing_->list(2, "key_2")->empty());
}

TEST_F(SharingTest, ASubmissionTakesTheIdThatWasReserved) {
  auto reserved = request();
  reserved.id = new_submission_id();
  EXPECT_EQ(sharing_->share(reserved, When::kAfterCooling)->id, reserved.id);
}

TEST_F(SharingTest, ARatingAndAnEditReferToTheAnswerAndSayWhoWroteIt) {
  const auto shared = sharing_->share(request(), When::kNow);
  const auto vote = rate(*shared->record, ledger::Vote::kUp);
  ASSERT_TRUE(vote) << vote.error().message;
  EXPECT_EQ(vote->header.refs.front(), *shared->record);
  const auto wanted =
      sharing_->edit_of(*shared->record, "Air scatters blue light. Ask bob@example.com.");
  ASSERT_TRUE(wanted) << wanted.error().message;
  EXPECT_EQ(sharing_->preview(*wanted)->masked.size(), 1U);
  const auto queued = sharing_->share(*wanted, When::kAfterCooling);
  ASSERT_TRUE(queued) << queued.error().message;
  EXPECT_EQ(queued->edits, shared->record);
  const auto done = sharing_->hurry(queued->id);
  ASSERT_TRUE(done) << done.error().message;
  const auto edit = (**log_->find(*done->record)).record;
  EXPECT_EQ(edit.header.kind, ledger::Kind::kEdit);
  EXPECT_EQ(edit.header.refs.front(), *shared->record);
  const auto body = ledger::parse_conversation((*log_->body(edit.id))->body);
  EXPECT_EQ(body->messages.back().content, "Air scatters blue light. Ask [email].");
  EXPECT_EQ(body->messages.back().origin, ledger::Origin::kMixed);
  EXPECT_TRUE(body->replay.is_null());
  EXPECT_EQ(edit.header.licence, "CC-BY-4.0");
  EXPECT_EQ(rate(vote->id, ledger::Vote::kUp).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SharingTest, WhatIsSaidToBeDoneIsServed) {
  const auto shared = sharing_->share(request(), When::kNow);
  EXPECT_EQ(log_->published(), 1U);
  ASSERT_TRUE(rate(*shared->record, ledger::Vote::kUp));
  EXPECT_EQ(log_->published(), 2U);
  ASSERT_TRUE(sharing_->retract(*shared->record, ledger::RetractionReason::kAuthor));
  EXPECT_EQ(log_->published(), *log_->size());
}

TEST_F(SharingTest, ARetractionTakesItsEditsAndVotesAlongAndErasesTheText) {
  const auto shared = sharing_->share(request("a planted-needle-three question"), When::kNow);
  const auto edit = edit_now(*shared->record, "An answer with planted-needle-four.");
  edit_now(edit, "Another with planted-needle-five.");
  ASSERT_TRUE(rate(edit, ledger::Vote::kDown));
  // What still waits: an edit of the edit, and the same answer once more.
  const auto late = sharing_->edit_of(edit, "One more with planted-needle-six.");
  ASSERT_TRUE(sharing_->share(*late, When::kAfterCooling));
  ASSERT_TRUE(sharing_->share(request("a planted-needle-three question"), When::kAfterCooling));
  const auto gone = sharing_->retract(*shared->record, ledger::RetractionReason::kAuthor);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(gone->records.size(), 4U);
  EXPECT_EQ(gone->answer, "chatcmpl-1");
  for (const char* needle :
       {"planted-needle-three", "planted-needle-four", "planted-needle-five", "planted-needle-six"})
    EXPECT_FALSE(home_holds(needle)) << needle;
  ASSERT_TRUE(sharing_->set_erased(gone->records));
  const std::vector<Submission> known = *sharing_->list(10);
  EXPECT_EQ(known.size(), 3U);
  for (const Submission& one : known)
    EXPECT_EQ(one.state, ShareState::kRetracted) << one.id;  // the edits too
  // Once more, as after a crash: all of it again, and no further record.
  const std::uint64_t size = *log_->size();
  const auto again = sharing_->retract(*shared->record, ledger::RetractionReason::kAuthor);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->records, gone->records);
  EXPECT_EQ(again->answer, "chatcmpl-1");
  EXPECT_EQ(*log_->size(), size);
  EXPECT_FALSE(sharing_->share(*late, When::kAfterCooling));
  EXPECT_FALSE(sharing_->edit_of(*shared->record, "x"));
  EXPECT_FALSE(rate(*shared->record, ledger::Vote::kUp));
}

TEST_F(SharingTest, WhatTheLogSaysWasRetractedIsNamedUntilItIsErased) {
  const auto shared = sharing_->share(request(), When::kNow);
  const auto edit = edit_now(*shared->record, "A better answer.");
  ASSERT_TRUE(
      sharing_->share(*sharing_->edit_of(edit, "a planted-needle-seven"), When::kAfterCooling));
  EXPECT_TRUE(sharing_->unerased()->empty());
  for (const ledger::RecordId& id : {*shared->record, edit}) {  // as a mirror knew it
    ledger::Draft draft;
    draft.kind = ledger::Kind::kRetraction;
    draft.refs = {id};
    draft.payload = ledger::encode_retraction(ledger::RetractionReason::kAuthor);
    ASSERT_TRUE(log_->post(std::move(draft)));
  }
  for (int again = 0; again < 2; ++again) {
    const auto found = sharing_->unerased();
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->at(0).records, (std::vector{*shared->record, edit}));
    EXPECT_EQ(found->at(0).answer, "chatcmpl-1");
    EXPECT_EQ(found->at(1).records, std::vector{edit});
  }
  EXPECT_FALSE(home_holds("planted-needle-seven"));
  ASSERT_TRUE(sharing_->set_erased(std::array{*shared->record, edit}));
  EXPECT_TRUE(sharing_->unerased()->empty());
  EXPECT_EQ(sharing_->find(shared->id)->state, ShareState::kRetracted);
}

TEST_F(SharingTest, RefusesOtherLicencesNoScopeAndWhatIsTooLong) {
  auto other = request();
  other.licence = "CC-BY-NC-4.0";
  EXPECT_EQ(sharing_->preview(other).error().code, ErrorCode::kInvalidArgument);
  auto none = request();
  none.scope = {};
  EXPECT_FALSE(sharing_->share(none, When::kNow));
  EXPECT_FALSE(sharing_->share(request(std::string(ledger::kBodyBytesMax, 'x')), When::kNow));
  EXPECT_EQ(*log_->size(), 0U);
  EXPECT_TRUE(sharing_->list(10)->empty());
}

TEST(Licences, OnlyThoseThatAllowItAreForTraining) {
  EXPECT_TRUE(allows_training_on_outputs("Apache-2.0"));
  EXPECT_FALSE(allows_training_on_outputs("llama3.2"));
  EXPECT_FALSE(allows_training_on_outputs(""));
}

}  // namespace
}  // namespace loam::commons
