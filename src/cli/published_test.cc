// Logs that are read together, some of which cannot be read.
#include "cli/published.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "dataset/testing/made_log.h"
#include "env/random.h"
#include "ledger/tiles.h"

namespace loam::cli {
namespace {

class PublishedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    globals_.home = (folder_ / "home").string();
    good_.data("What is near?", "What is here.");
    bad_.data("What is far?", "What is there.");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Its files, in a folder that ends so.
  std::string exported(dataset::testing::MadeLog& log, const std::string& name) {
    const env::Path at = folder_ / name / "log";
    for (const std::string& file :
         {std::string("checkpoint"), ledger::tile_path(ledger::kEntries, 0, log.size())}) {
      EXPECT_TRUE(env::make_folder((at / file).parent_path()));
      EXPECT_TRUE(env::write_file_atomic(at / file, log.read(file, 1 << 20).value()));
    }
    return at.string();
  }
  Result<std::unique_ptr<Published>> open(const std::vector<std::string>& from,
                                          IfUnreadable if_unreadable) {
    NamedLogs logs{.from = from,
                   .keys = {good_.key().text(), bad_.key().text()},
                   .if_unreadable = if_unreadable};
    return Published::open(invocation_, logs);
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-published-");
  dataset::testing::MadeLog good_{100}, bad_{101};
  std::string said_;
  Console console_{{},
                   [](std::string_view) { return true; },
                   [this](std::string_view text) {
                     said_ += text;
                     return true;
                   }};
  Globals globals_;
  Verb root_;
  env::SystemClock clock_;
  Invocation invocation_{globals_, console_, root_, clock_};
};

TEST_F(PublishedTest, WhatWasRetractedAfterADataSetIsCounted) {
  const auto retracted = good_.data("What is left?", "What was right.");
  good_.data("What is up?", "What is not down.");
  const auto vote = good_.vote(retracted, ledger::Vote::kUp);
  const std::uint64_t height = good_.size();
  good_.retract(retracted);
  good_.retract(vote);  // no text goes with it
  const auto published =
      open({exported(good_, "good"), exported(bad_, "other")}, IfUnreadable::kFail);
  ASSERT_TRUE(published) << published.error().message;
  dataset::Manifest data_set;
  const auto since = [&](std::uint64_t at) {
    data_set.logs = {{.origin = good_.key().name, .height = at}};
    return (*published)->retracted_since(data_set);
  };
  EXPECT_EQ(since(1), 0U);  // it was not there yet
  EXPECT_EQ(since(height), 1U);
  EXPECT_EQ(since(height + 1), 0U);  // it was gone already
}

TEST_F(PublishedTest, AnEmptyAndADamagedLogKeepNoOtherBack) {
  const std::string good = exported(good_, "good"), damaged = exported(bad_, "damaged");
  const std::string tile = ledger::tile_path(ledger::kEntries, 0, bad_.size());
  std::string content = env::read_file(env::Path(damaged) / tile, 1 << 20).value();
  content.back() ^= 1;
  ASSERT_TRUE(env::write_file_atomic(env::Path(damaged) / tile, content));
  for (const std::string& bad : {damaged, (folder_ / "empty" / "log").string()}) {
    said_.clear();
    const auto published = open({good, bad}, IfUnreadable::kSkip);
    ASSERT_TRUE(published) << published.error().message;
    EXPECT_TRUE((*published)->archive().knows(good_.key().key));
    EXPECT_FALSE((*published)->archive().knows(bad_.key().key));
    ASSERT_EQ((*published)->unread().size(), 1U);
    EXPECT_EQ((*published)->unread().front().from, bad);
    EXPECT_TRUE(said_.contains(bad + " is left out: ")) << said_;
    EXPECT_FALSE(open({good, bad}, IfUnreadable::kFail));
  }
}

}  // namespace
}  // namespace loam::cli
