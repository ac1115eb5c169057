#include "commons/known_logs.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "commons/testing/made_log.h"
#include "env/file.h"
#include "env/random.h"
#include "ledger/home.h"

namespace loam::commons {
namespace {

using ledger::RecordId;
using testing::MadeLog;

class KnownLogsTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(base_); }

  /// A log in a database where a node has it.
  std::unique_ptr<MadeLog> log_at(const env::Path& file, std::uint8_t author) const {
    EXPECT_TRUE(env::make_folder(file.parent_path()));
    return std::make_unique<MadeLog>(author, file.string(),
                                     ledger::open_sqlite_storage(file).value());
  }
  std::unique_ptr<MadeLog> own_log(std::uint8_t author) const {
    return log_at(ledger::LogHome::of(folders_).database(), author);
  }
  std::unique_ptr<MadeLog> followed_log(std::string_view name, std::uint8_t author) const {
    return log_at(folders_.data / "commons" / "followed" / name / "records.db", author);
  }
  bool withdrawn(const RecordId& id) const {
    return KnownLogs::open(folders_).value().withdrawn(id).value();
  }
  static RecordId edit(MadeLog& log, std::uint8_t author, const RecordId& of) {
    const ledger::SaltedBody body = ledger::testing::body_of("better");
    ledger::Header header = ledger::testing::data_header(ledger::testing::key_of(author), 0, body);
    header.kind = ledger::Kind::kEdit;
    header.refs = {of};
    return log.add(header, body);
  }

  const env::Path base_ = std::filesystem::temp_directory_path() / env::random_id("loam-known-");
  const env::Folders folders_{.config = base_ / "config",
                              .data = base_ / "data",
                              .state = base_ / "state",
                              .cache = base_ / "cache",
                              .runtime = base_ / "run"};
};

TEST_F(KnownLogsTest, WhereNoNodeIsNothingIsKnownAndNothingIsMade) {
  EXPECT_FALSE(withdrawn({}));
  EXPECT_FALSE(std::filesystem::exists(base_));
}

TEST_F(KnownLogsTest, KnowWhatTheirOwnRecordsRetractAndTheEditsOfIt) {
  for (const bool is_own : {true, false}) {
    const auto log = is_own ? own_log(1) : followed_log("a", 1);
    const RecordId kept = log->data("kept"), gone = log->data("gone");
    const RecordId edited = edit(*log, 1, gone), other = edit(*log, 1, kept);
    EXPECT_FALSE(withdrawn(gone));
    EXPECT_FALSE(withdrawn(edited));
    log->retract(gone);
    EXPECT_TRUE(withdrawn(gone));
    EXPECT_TRUE(withdrawn(edited));
    EXPECT_FALSE(withdrawn(kept));
    EXPECT_FALSE(withdrawn(other));
  }
}

TEST_F(KnownLogsTest, ARetractionInAnotherLogCountsIfItsAuthorMayRetract) {
  const auto here = own_log(1), there = followed_log("b", 1), elsewhere = followed_log("c", 2);
  const RecordId first = here->data("first"), second = here->data("second");
  elsewhere->retract(first);
  EXPECT_FALSE(withdrawn(first)) << "somebody else's";
  there->retract(first);
  EXPECT_TRUE(withdrawn(first));
  EXPECT_FALSE(withdrawn(second));
}

}  // namespace
}  // namespace loam::commons
