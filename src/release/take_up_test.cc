// An adapter that passed comes to answer: the catalogue and the book say the same afterwards.
#include "release/take_up.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "catalog/testing/gguf_writer.h"
#include "env/random.h"
#include "release/rollouts.h"
#include "release/taken.h"

namespace loam::release {
namespace {

ledger::RecordId record(std::uint8_t n) { return {crypto::Digest{n}}; }

class TakeUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    catalog_ = *catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_);
    const std::string model = catalog::testing::small_model().bytes();
    const env::Path file = folder_ / "model.gguf";
    ASSERT_TRUE(env::write_file_atomic(file, model));
    base_ = *catalog_->add("base", file, crypto::sha256(as_bytes(model)), "test", "apache-2.0");
  }
  void TearDown() override {
    catalog_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// Takes publication `n` up as "sailor", as its adapter came for the first time.
  TakenUp taken(std::uint8_t n, bool on_trial = false) {
    const std::string name = "adapter-" + std::to_string(n);
    const std::string bytes = catalog::testing::small_adapter().text("general.name", name).bytes();
    const env::Path file = folder_ / (name + ".gguf");
    EXPECT_TRUE(env::write_file_atomic(file, bytes));
    adapters_[n] = crypto::sha256(as_bytes(bytes));
    EXPECT_TRUE(catalog_->add_adapter(name, base_, file, adapters_[n], source_of(record(n))));
    const auto out = take_up(*catalog_, book_,
                             {.candidate = name,
                              .publication = record(n),
                              .name = "sailor",
                              .on_trial = on_trial,
                              .why = "it passed",
                              .now_ms = 7});
    EXPECT_TRUE(out) << out.error().message;
    EXPECT_TRUE(catalog_->remove(name));
    return out ? *out : TakenUp();
  }
  crypto::Digest answers_as(const std::string& name) const {
    const auto model = catalog_->find(name);
    return model && model->adapter ? model->adapter->sha256 : crypto::Digest{};
  }
  ChannelBook::Content book() const { return book_.read().value(); }
  Decision::State state(std::uint8_t n) const { return book().decisions.at(record(n)).state; }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-take-");
  env::SystemClock clock_;
  const ChannelBook book_{folder_ / "channels"};
  std::unique_ptr<catalog::Catalog> catalog_;
  catalog::Model base_;
  std::map<std::uint8_t, crypto::Digest> adapters_;
};

TEST_F(TakeUpTest, TheFirstAnswersAtOnce) {
  const TakenUp out = taken(1, true);
  EXPECT_FALSE(out.replaced || out.on_trial);
  EXPECT_EQ(answers_as("sailor"), adapters_[1]);
  EXPECT_EQ(book().decisions.at(record(1)),
            (Decision{Decision::State::kTaken, "sailor", "it passed", 7}));
  EXPECT_EQ(book().rollouts.at("sailor").stage, Stage::kAll);
}

TEST_F(TakeUpTest, ANewerOneIsTriedBesideIt) {
  taken(1);
  EXPECT_TRUE(taken(2, true).on_trial);
  EXPECT_EQ(answers_as("sailor"), adapters_[1]);
  EXPECT_EQ(answers_as("sailor:next"), adapters_[2]);
  EXPECT_EQ(book().rollouts.at("sailor").adapter_before, adapters_[1]);
}

TEST_F(TakeUpTest, OneThatIsTakenWhileAnotherIsTriedEndsThatTrial) {
  taken(1);
  taken(2, true);
  ASSERT_TRUE(book_.change([](ChannelBook::Content& all) {
    all.rollouts.at("sailor").votes = {.up = 9, .down = 9};
    all.rollouts.at("sailor").before = {.up = 5, .down = 1};
  }));
  EXPECT_TRUE(taken(3).replaced);
  EXPECT_EQ(answers_as("sailor"), adapters_[3]);
  EXPECT_EQ(answers_as("sailor:previous"), adapters_[1]);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  EXPECT_EQ(state(2), Decision::State::kRolledBack);
  EXPECT_EQ(state(3), Decision::State::kTaken);
  EXPECT_EQ(book().rollouts.at("sailor").before, (Votes{.up = 5, .down = 1}));
}

/// Else the book would have the votes on the newer one decide about the one that was tried.
TEST_F(TakeUpTest, ATrialHasEndedInTheBookBeforeWhatWaitsIsReplaced) {
  taken(1);
  const std::string longest(128, 'a');  // so that NAME:next is no name, and the copy fails
  ASSERT_TRUE(catalog_->copy("sailor", longest));
  Rollout tried;
  tried.publication = record(2);
  tried.adapter_before = adapters_[1];
  tried.before = {.up = 5, .down = 1};
  ASSERT_TRUE(book_.change([&](ChannelBook::Content& all) { all.rollouts[longest] = tried; }));
  const std::string bytes = catalog::testing::small_adapter().text("general.name", "3").bytes();
  const env::Path file = folder_ / "3.gguf";
  ASSERT_TRUE(env::write_file_atomic(file, bytes));
  ASSERT_TRUE(catalog_->add_adapter("adapter-3", base_, file, crypto::sha256(as_bytes(bytes)),
                                    source_of(record(3))));
  EXPECT_FALSE(take_up(*catalog_, book_,
                       {.candidate = "adapter-3",
                        .publication = record(3),
                        .name = longest,
                        .on_trial = true,
                        .why = "it passed",
                        .now_ms = 7}));
  EXPECT_EQ(state(2), Decision::State::kRolledBack);
  EXPECT_FALSE(book().decisions.contains(record(3)));
  const Rollout left = book().rollouts.at(longest);
  EXPECT_EQ(left.publication, record(1));
  EXPECT_EQ(left.stage, Stage::kAll);
  EXPECT_EQ(left.votes, (Votes{.up = 5, .down = 1}));
}

TEST_F(TakeUpTest, TheOneOnTrialAnswersAllOnceItIsTakenOutright) {
  taken(1);
  taken(2, true);
  taken(2);
  EXPECT_EQ(answers_as("sailor"), adapters_[2]);
  EXPECT_EQ(answers_as("sailor:previous"), adapters_[1]);
  EXPECT_FALSE(catalog_->find("sailor:next"));
  EXPECT_EQ(state(2), Decision::State::kTaken);
}

TEST_F(TakeUpTest, TakenTwiceItKeepsTheOneBefore) {
  taken(1);
  taken(2);
  ASSERT_TRUE(
      book_.change([](ChannelBook::Content& all) { all.rollouts.at("sailor").votes.up = 3; }));
  const auto before = book();
  taken(2);
  EXPECT_EQ(answers_as("sailor:previous"), adapters_[1]);
  EXPECT_EQ(book(), before);
}

TEST_F(TakeUpTest, WhatWasCutShortBeforeTheBookIsDoneAgain) {
  taken(1);
  const auto before = book();
  taken(2);
  ASSERT_TRUE(book_.change([&](ChannelBook::Content& all) { all = before; }));
  EXPECT_FALSE(taken(2, true).on_trial);
  EXPECT_EQ(answers_as("sailor"), adapters_[2]);
  EXPECT_EQ(answers_as("sailor:previous"), adapters_[1]);
  EXPECT_EQ(state(2), Decision::State::kTaken);
  EXPECT_EQ(book().rollouts.at("sailor").adapter_before, adapters_[1]);
}

TEST_F(TakeUpTest, AnotherModelOfTheNextNameIsNotTouched) {
  taken(1);
  ASSERT_TRUE(catalog_->copy("base", "sailor:next"));
  taken(2);
  EXPECT_TRUE(catalog_->find("sailor:next"));
}

/// The node counts while the command line takes and gives up: everybody waits for the others.
TEST_F(TakeUpTest, NobodyFailsBecauseAnotherChangesTheBook) {
  constexpr int kThreads = 6, kEach = 10;
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < kEach; ++n) {
          const auto done = book_.change(
              [](ChannelBook::Content& all) { all.policies["one"].attestations += 1; });
          if (!done) ++failed;
        }
      });
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(book().policies.at("one").attestations, kThreads * kEach);
}

}  // namespace
}  // namespace loam::release
