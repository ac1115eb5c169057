#include "release/rollouts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/testing/gguf_writer.h"
#include "env/random.h"
#include "release/taken.h"

namespace loam::release {
namespace {

ledger::RecordId record(std::uint8_t n) { return {crypto::Digest{n}}; }

/// An adapter that answers as `sailor`, and one that is being tried.
class RolloutsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    catalog_ = *catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_);
    const std::string model = catalog::testing::small_model().bytes();
    const env::Path file = folder_ / "model.gguf";
    ASSERT_TRUE(env::write_file_atomic(file, model));
    base_ = *catalog_->add("base", file, crypto::sha256(as_bytes(model)), "test", "apache-2.0");
    old_ = add("first", 1);
    new_ = add("second", 2);
    ASSERT_TRUE(settle(*catalog_, "first", "sailor"));
    ASSERT_TRUE(catalog_->copy("second", "sailor:next"));
    for (const char* name : {"first", "second"}) ASSERT_TRUE(catalog_->remove(name));
  }
  void TearDown() override {
    rollouts_.reset();
    catalog_.reset();
    std::filesystem::remove_all(folder_);
  }

  crypto::Digest add(const std::string& name, std::uint8_t publication) {
    const std::string bytes = catalog::testing::small_adapter().text("general.name", name).bytes();
    const env::Path file = folder_ / (name + ".gguf");
    EXPECT_TRUE(env::write_file_atomic(file, bytes));
    const auto hash = crypto::sha256(as_bytes(bytes));
    EXPECT_TRUE(catalog_->add_adapter(name, base_, file, hash, source_of(record(publication))));
    return hash;
  }
  void begin(Stage stage) {
    Rollout rollout;
    rollout.publication = record(2);
    rollout.adapter = new_;
    rollout.adapter_before = old_;
    rollout.stage = stage;
    ASSERT_TRUE(book_.change([&](ChannelBook::Content& all) { all.rollouts["sailor"] = rollout; }));
    rollouts_ = std::make_unique<Rollouts>(book_, *catalog_, clock_);
    EXPECT_EQ(rollouts_->answering("sailor"), "sailor");
  }
  void vote(const crypto::Digest& adapter, bool is_down, int count) {
    for (int i = 0; i < count; ++i)
      rollouts_->voted("answer " + std::to_string(++answers_), adapter, is_down);
    rollouts_->flush();
  }
  std::optional<Rollout> rollout() const {
    const auto content = book_.read().value();
    const auto found = content.rollouts.find("sailor");
    return found == content.rollouts.end() ? std::nullopt : std::optional(found->second);
  }
  crypto::Digest answers_as(const std::string& name) const {
    const auto model = catalog_->find(name);
    return model && model->adapter ? model->adapter->sha256 : crypto::Digest{};
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-rollouts-");
  env::SystemClock clock_;
  const ChannelBook book_{folder_ / "channels"};
  std::unique_ptr<catalog::Catalog> catalog_;
  catalog::Model base_;
  crypto::Digest old_{}, new_{};
  std::unique_ptr<Rollouts> rollouts_;
  int answers_ = 0;
};

TEST_F(RolloutsTest, WithoutOneEveryModelAnswersForItself) {
  rollouts_ = std::make_unique<Rollouts>(book_, *catalog_, clock_);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rollouts_->answering("sailor"), "sailor");
  EXPECT_FALSE(rollouts_->unheard("sailor"));
  vote(new_, true, 9);
  EXPECT_EQ(book_.read().value(), ChannelBook::Content{});
}

TEST_F(RolloutsTest, InTheShadowTheNextOneAnswersUnheardUntilItProvedItself) {
  begin(Stage::kShadow);
  for (int i = 0; i < 19; ++i) rollouts_->answered("sailor:next", false);
  rollouts_->flush();
  EXPECT_EQ(rollouts_->unheard("sailor"), "sailor:next");
  EXPECT_FALSE(rollouts_->unheard("base"));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(rollouts_->answering("sailor"), "sailor");
  rollouts_->answered("sailor:next", false);
  rollouts_->flush();
  EXPECT_EQ(rollout()->stage, Stage::kShare);
  EXPECT_FALSE(rollouts_->unheard("sailor"));
}

TEST_F(RolloutsTest, AShareIsEveryTenthPrompt) {
  begin(Stage::kShare);
  int tried = 0;
  for (int i = 0; i < 100; ++i) tried += rollouts_->answering("sailor") == "sailor:next" ? 1 : 0;
  EXPECT_EQ(tried, 10);
  EXPECT_EQ(rollouts_->answering("base"), "base");
}

TEST_F(RolloutsTest, OneThatPeopleLikeAnswersAllAndTheOneBeforeIsKept) {
  begin(Stage::kShare);
  vote(new_, false, 12);
  EXPECT_EQ(rollout()->stage, Stage::kAll);
  EXPECT_EQ(answers_as("sailor"), new_);
  EXPECT_EQ(answers_as("sailor:previous"), old_);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  vote(new_, true, 6);
  EXPECT_EQ(answers_as("sailor"), old_) << "it turned";
  EXPECT_FALSE(rollout());
  EXPECT_EQ(book_.read()->decisions.at(record(2)).state, Decision::State::kRolledBack);
}

TEST_F(RolloutsTest, OneThatPeopleDislikeGoesAndTheOneBeforeKeepsItsVotes) {
  begin(Stage::kShare);
  vote(old_, false, 5);
  vote(new_, true, 3);
  EXPECT_EQ(answers_as("sailor"), old_);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  EXPECT_EQ(rollout()->adapter, old_);
  EXPECT_EQ(rollout()->publication, record(1));
  EXPECT_EQ(rollout()->votes, (Votes{.up = 5, .down = 0}));
  const Decision decision = book_.read()->decisions.at(record(2));
  EXPECT_EQ(decision.state, Decision::State::kRolledBack);
  EXPECT_EQ(decision.why, "people like it less: 3 of 3 votes were down, 0 of 5 on the one before");
  for (int i = 0; i < 30; ++i) EXPECT_EQ(rollouts_->answering("sailor"), "sailor");
}

TEST_F(RolloutsTest, OfAnAnswerOnlyTheFirstVoteCounts) {
  begin(Stage::kShare);
  for (int i = 0; i < 9; ++i) rollouts_->voted("the same", new_, true);
  rollouts_->flush();
  EXPECT_EQ(rollout()->votes, (Votes{.up = 0, .down = 1}));
}

TEST_F(RolloutsTest, AnAnswerThatFailedIsWrittenDownInATrialAlone) {
  begin(Stage::kAll);
  const auto before = env::stamp(book_.path()).value();
  rollouts_->failed("one", old_, ErrorCode::kUnavailable);
  rollouts_->failed("another", new_, ErrorCode::kUnavailable);
  rollouts_->flush();
  EXPECT_EQ(env::stamp(book_.path()).value(), before);
  begin(Stage::kShare);
  rollouts_->failed("one", new_, ErrorCode::kUnavailable);
  rollouts_->flush();
  EXPECT_EQ(rollout()->votes.down, 1U);
}

TEST_F(RolloutsTest, OneThatCannotBeLoadedIsNotTriedAnyLonger) {
  begin(Stage::kShare);
  // Twice: the second is counted when the one before answers again, which must not suffer for it.
  for (int i = 0; i < 2; ++i)
    rollouts_->cannot_answer("sailor:next", {ErrorCode::kCorrupt, "it does not fit the model"});
  rollouts_->flush();
  EXPECT_FALSE(catalog_->find("sailor:next"));
  EXPECT_EQ(answers_as("sailor"), old_);
  EXPECT_EQ(book_.read()->decisions.at(record(2)).why, "it could not be loaded");
}

TEST_F(RolloutsTest, OneThatCannotBeLoadedNowIsTriedAgain) {
  begin(Stage::kShadow);
  for (const ErrorCode code :
       {ErrorCode::kResourceExhausted, ErrorCode::kUnavailable, ErrorCode::kDeadlineExceeded,
        ErrorCode::kCancelled, ErrorCode::kPermissionDenied, ErrorCode::kInternal})
    for (int i = 0; i < 5; ++i) rollouts_->cannot_answer("sailor:next", {code, "not now"});
  rollouts_->flush();
  EXPECT_EQ(rollout()->publication, record(2));
  EXPECT_EQ(rollout()->answers, 0U);
  EXPECT_TRUE(catalog_->find("sailor:next"));
}

TEST_F(RolloutsTest, AnInterruptedStepIsMadeOnce) {
  begin(Stage::kShare);
  ASSERT_TRUE(settle(*catalog_, "sailor:next", "sailor"));  // and then the machine stopped
  vote(new_, false, 12);
  EXPECT_EQ(answers_as("sailor"), new_);
  EXPECT_EQ(answers_as("sailor:previous"), old_);
}

TEST_F(RolloutsTest, TheOwnerGivesUpWhatIsTriedFirst) {
  begin(Stage::kShare);
  const auto back = give_up(*catalog_, book_, "sailor", "asked", 7);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ((*back)->adapter->sha256, old_);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  const auto gone = give_up(*catalog_, book_, "sailor", "asked", 8);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_FALSE(*gone);
  EXPECT_FALSE(catalog_->find("sailor"));
  EXPECT_EQ(give_up(*catalog_, book_, "base", "asked", 9).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(book_.read()->decisions.size(), 2U);
}

TEST_F(RolloutsTest, AnotherModelsNameIsNotTaken) {
  EXPECT_EQ(find_taken(*catalog_, "base").error().code, ErrorCode::kAlreadyExists);
  EXPECT_FALSE(*find_taken(*catalog_, "nothing"));
  EXPECT_EQ(settle(*catalog_, "sailor", "base").error().code, ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace loam::release
