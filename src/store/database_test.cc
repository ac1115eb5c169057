#include "store/database.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/format.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::store {
namespace {

constexpr std::array<std::string_view, 1> kFirst = {
    "CREATE TABLE pair (name TEXT PRIMARY KEY, value BLOB);"};
constexpr std::array<std::string_view, 2> kSecond = {
    kFirst[0], "ALTER TABLE pair ADD COLUMN note TEXT NOT NULL DEFAULT 'none';"};

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_).has_value()); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Database opened(std::span<const std::string_view> migrations = kFirst) {
    auto database = Database::open(file_, migrations);
    EXPECT_TRUE(database.has_value()) << database.error().message;
    return std::move(*database);
  }
  static std::int64_t count(Database& database) {
    auto statement = database.prepare("SELECT count(*) FROM pair").value();
    EXPECT_TRUE(statement.step().value());
    return statement.integer(0);
  }
  static Result<> insert(Database& database, std::string_view name, ByteView value) {
    auto statement = database.prepare("INSERT INTO pair (name, value) VALUES (?, ?)").value();
    return statement.bind(0, name).bind_blob(1, value).run();
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-store-");
  env::Path file_ = folder_ / "store.db";
};

TEST_F(DatabaseTest, KeepsEveryKindOfValueAcrossAReopen) {
  const Bytes bytes = {0, 1, 255};
  {
    Database database = opened();
    ASSERT_TRUE(insert(database, std::string_view("a\0b", 3), bytes).has_value());
    ASSERT_TRUE(insert(database, "", {}).has_value());
  }
  Database database = opened();
  auto rows =
      database.prepare("SELECT name, value, 1.5, NULL FROM pair ORDER BY name DESC").value();
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.text(0), std::string("a\0b", 3));
  EXPECT_EQ(rows.blob(1), bytes);
  EXPECT_EQ(rows.real(2), 1.5);
  EXPECT_TRUE(rows.is_null(3));
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.text(0), "");
  EXPECT_FALSE(rows.is_null(1));
  EXPECT_FALSE(rows.step().value());
}

TEST_F(DatabaseTest, TheFileAndItsSideFilesAreForTheOwnerOnly) {
  Database database = opened();
  ASSERT_TRUE(insert(database, "a", {}).has_value());
  for (const char* end : {"", "-wal", "-shm"})
    EXPECT_EQ(env::permissions(file_.string() + end).value(), 0600U) << end;
}

TEST_F(DatabaseTest, AFileThatOthersCouldReadIsMadePrivate) {
  opened();
  ASSERT_TRUE(env::set_permissions(file_, 0644).has_value());
  opened();
  EXPECT_EQ(env::permissions(file_).value(), 0600U);
}

TEST_F(DatabaseTest, WritesDurablyAndErasesWhatIsDeleted) {
  Database database = opened();
  const auto setting = [&](std::string_view name) {
    auto statement = database.prepare(std::string("PRAGMA ") + std::string(name)).value();
    EXPECT_TRUE(statement.step().value());
    return statement.text(0);
  };
  EXPECT_EQ(setting("journal_mode"), "wal");
  EXPECT_EQ(setting("synchronous"), "2");
  EXPECT_EQ(setting("secure_delete"), "1");
  EXPECT_EQ(setting("foreign_keys"), "1");

  const std::string secret = "a sentence that must not stay on the disk";
  ASSERT_TRUE(insert(database, "a", as_bytes(secret)).has_value());
  ASSERT_TRUE(database.execute("DELETE FROM pair").has_value());
  ASSERT_TRUE(database.truncate_wal().has_value());
  for (const char* end : {"", "-wal"})
    EXPECT_FALSE(env::read_file(file_.string() + end, 1 << 20).value().contains(secret)) << end;
}

TEST_F(DatabaseTest, SaysThatTracesStayWhileAnotherReads) {
  const std::string secret = "a sentence that must not stay on the disk";
  Database database = opened(), other = opened();
  ASSERT_TRUE(insert(database, "a", as_bytes(secret)).has_value());
  {
    auto rows = other.prepare("SELECT name FROM pair").value();
    ASSERT_TRUE(rows.step().value());
    ASSERT_TRUE(database.execute("DELETE FROM pair").has_value());
    const auto kept = database.truncate_wal();
    ASSERT_FALSE(kept.has_value());
    EXPECT_EQ(kept.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(kept.error().hint.empty());
  }
  ASSERT_TRUE(database.truncate_wal().has_value());
  for (const char* end : {"", "-wal"})
    EXPECT_FALSE(env::read_file(file_.string() + end, 1 << 20).value().contains(secret)) << end;
}

TEST_F(DatabaseTest, AppliesOnlyTheMigrationsThatAreMissing) {
  {
    Database database = opened(kFirst);
    ASSERT_TRUE(insert(database, "a", {}).has_value());
  }
  Database database = opened(kSecond);
  auto rows = database.prepare("SELECT note FROM pair").value();
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.text(0), "none");
}

TEST_F(DatabaseTest, AMigrationThatFailsLeavesTheOldFormat) {
  opened();
  const std::array<std::string_view, 2> broken = {kFirst[0],
                                                  "DROP TABLE pair; CREATE TABLE pair (;"};
  EXPECT_FALSE(Database::open(file_, broken).has_value());
  Database database = opened();
  EXPECT_EQ(count(database), 0);
}

TEST_F(DatabaseTest, RefusesAFileOfANewerLoam) {
  opened(kSecond);
  const auto database = Database::open(file_, kFirst);
  ASSERT_FALSE(database.has_value());
  EXPECT_EQ(database.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(database.error().message.contains(file_.string()));
}

TEST_F(DatabaseTest, ATransactionThatFailsChangesNothing) {
  Database database = opened();
  const auto done = database.transaction([&]() -> Result<> {
    LOAM_TRY(insert(database, "a", {}));
    return fail(ErrorCode::kCancelled, "changed my mind");
  });
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(count(database), 0);
  ASSERT_TRUE(database.transaction([&] { return insert(database, "a", {}); }).has_value());
  EXPECT_EQ(count(database), 1);
}

TEST_F(DatabaseTest, SaysWhichConstraintWasBrokenAndGoesOn) {
  Database database = opened();
  auto statement = database.prepare("INSERT INTO pair (name) VALUES (?)").value();
  ASSERT_TRUE(statement.bind(0, std::string_view("a")).run().has_value());
  EXPECT_EQ(statement.bind(0, std::string_view("a")).run().error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(statement.bind(0, std::string_view("b")).run().has_value());
  EXPECT_EQ(database.changes(), 1);
}

TEST_F(DatabaseTest, ABindThatFailsIsReportedByTheNextStep) {
  Database database = opened();
  auto statement = database.prepare("SELECT ?").value();
  EXPECT_FALSE(statement.bind(3, std::int64_t{1}).step().has_value());
}

TEST_F(DatabaseTest, AStatementStartsAfreshWheneverItIsPrepared) {
  Database database = opened();
  ASSERT_TRUE(database.execute("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('a'), ('b')"));
  const std::string select = "SELECT x, ?1 FROM t ORDER BY x";
  for (int i = 0; i < 3; ++i) {
    auto first = *database.prepare(select);
    auto second = *database.prepare(select);  // while the other stands on a row
    EXPECT_EQ(first.step(), true);
    EXPECT_EQ(first.text(0), "a");
    EXPECT_TRUE(first.is_null(1)) << "what was bound before";
    second.bind(0, std::string_view("bound"));
    EXPECT_EQ(second.step(), true);
    EXPECT_EQ(second.text(1), "bound");
  }
  EXPECT_TRUE(database.execute("DROP TABLE t")) << "none of them still reads";
}

TEST_F(DatabaseTest, AFullDiskIsSaidAndLosesNothing) {
  Database database = opened();
  ASSERT_TRUE(insert(database, "kept", {}).has_value());
  ASSERT_TRUE(database.prepare("PRAGMA max_page_count=6").value().step().has_value());
  const Bytes large(1 << 16, 7);
  const auto done = database.transaction([&] { return insert(database, "large", large); });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(count(database), 1);
  ASSERT_TRUE(database.prepare("PRAGMA max_page_count=1000").value().step().has_value());
  EXPECT_TRUE(database.transaction([&] { return insert(database, "large", large); }).has_value());
}

TEST_F(DatabaseTest, AReadOnlyStoreIsAMatterOfRights) {
  Database database = opened();
  ASSERT_TRUE(database.execute("PRAGMA query_only=ON").has_value());
  EXPECT_EQ(insert(database, "a", {}).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(DatabaseTest, AFileThatIsNoDatabaseIsNamedWithTheWayOut) {
  ASSERT_TRUE(env::write_file_atomic(file_, std::string(5000, 'x')).has_value());
  const auto database = Database::open(file_, kFirst);
  ASSERT_FALSE(database.has_value());
  EXPECT_EQ(database.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(database.error().message.contains(file_.string()));
  EXPECT_TRUE(database.error().hint.contains("backup"));
  EXPECT_EQ(env::read_file(file_, 5000).value(), std::string(5000, 'x'));
}

TEST_F(DatabaseTest, FindsDamageInTheMiddleOfAFile) {
  {
    Database database = opened();
    for (int i = 0; i < 200; ++i)
      ASSERT_TRUE(insert(database, "name " + std::to_string(i), Bytes(200, 1)).has_value());
    ASSERT_TRUE(database.check().has_value());
  }
  std::string content = env::read_file(file_, 1 << 20).value();
  ASSERT_GT(content.size(), 5U * 4096);
  for (std::size_t page = 2; page < content.size() / 4096; ++page)
    content.replace(page * 4096, 64, 64, '\xff');
  ASSERT_TRUE(env::write_file_atomic(file_, content, 0600).has_value());
  Database database = opened();
  EXPECT_EQ(database.check().error().code, ErrorCode::kCorrupt);
  auto rows = database.prepare("SELECT value FROM pair").value();
  Result<bool> row = true;
  while (row && *row) row = rows.step();
  ASSERT_FALSE(row.has_value());
  EXPECT_EQ(row.error().code, ErrorCode::kCorrupt);
}

TEST_F(DatabaseTest, AFolderThatIsNotThereIsSaid) {
  const auto database = Database::open(folder_ / "none" / "store.db", kFirst);
  ASSERT_FALSE(database.has_value());
  EXPECT_EQ(database.error().code, ErrorCode::kNotFound);
}

/// Rows of many lengths in no order, so that pages are split, joined and balanced.
TEST_F(DatabaseTest, ErasedTextIsInNoPartOfTheFile) {
  Database database = opened();
  std::uint64_t state = 1;
  const auto draw = [&](std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % below;
  };
  std::vector<std::string> living, erased;
  for (int round = 0; round < 40; ++round) {
    LOAM_CHECK(database
                   .transaction([&]() -> Result<> {
                     for (std::uint64_t i = 0; i < 60; ++i) {
                       living.push_back(
                           format("{:016x}", draw(1U << 30U) << 32U | draw(1U << 30U)));
                       LOAM_TRY(insert(database, living.back(), Bytes(draw(300), 'x')));
                     }
                     auto remove = LOAM_TRY(database.prepare("DELETE FROM pair WHERE name = ?"));
                     for (std::uint64_t i = 0; i < 30; ++i) {
                       std::swap(living[draw(living.size())], living.back());
                       LOAM_TRY(remove.bind(0, living.back()).run());
                       erased.push_back(std::move(living.back()));
                       living.pop_back();
                     }
                     return {};
                   })
                   .has_value());
    ASSERT_TRUE(database.truncate_wal().has_value());
    const std::string content = env::read_file(file_, 1U << 30U).value();
    for (const std::string& name : erased)
      ASSERT_EQ(content.find(name), std::string::npos) << "round " << round;
  }
  EXPECT_TRUE(database.check().has_value());
  EXPECT_EQ(count(database), static_cast<std::int64_t>(living.size()));
}

}  // namespace
}  // namespace loam::store
