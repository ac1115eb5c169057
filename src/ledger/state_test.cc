// apply() over both twins of Storage: they must agree record by record.
#include "ledger/state.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/random.h"
#include "ledger/storage.h"
#include "ledger/testing/make_record.h"
#include "store/database.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::data_header;
using testing::key_of;
using testing::reference_header;

class StorageContract : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) {
      storage_ = make_memory_storage();
      return;
    }
    ASSERT_TRUE(env::make_folder(folder_));
    auto opened = open_sqlite_storage(folder_ / "ledger.db");
    ASSERT_TRUE(opened) << opened.error().message;
    storage_ = std::move(*opened);
  }
  void TearDown() override {
    storage_.reset();
    std::filesystem::remove_all(folder_);
  }

  Result<std::uint64_t> add(const Record& record, const std::optional<SaltedBody>& body = {}) {
    std::uint64_t index = 0;
    auto done = storage_->transaction([&]() -> Result<> {
      const Delta delta = LOAM_TRY(apply(*storage_, record, rules_));
      index = LOAM_TRY(storage_->append(record, delta));
      if (body) LOAM_TRY(storage_->put_body(record.id, *body));
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return index;
  }
  Record data(const crypto::SigningKey& key, std::uint64_t seq, std::string_view text = "x") {
    return *sign_record(data_header(key, seq, body_of(text)), key);
  }
  Record retraction(const crypto::SigningKey& key, std::uint64_t seq, const RecordId& target) {
    return *sign_record(reference_header(key, seq, Kind::kRetraction, target,
                                         encode_retraction(RetractionReason::kAuthor)),
                        key);
  }
  Record key_change(const crypto::SigningKey& key, std::uint64_t seq, const KeyChange& change) {
    Header header = reference_header(key, seq, Kind::kKey, {}, encode_key_change(change));
    header.refs.clear();
    return *sign_record(header, key);
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-storage-");
  LogRules rules_{.log_key_hash = crypto::sha256(as_bytes("a log's key"))};
  std::unique_ptr<Storage> storage_;
  crypto::SigningKey ann_ = key_of(1), bob_ = key_of(2);
};

TEST_P(StorageContract, RecordsHavePlacesAndAreFound) {
  const Record first = data(ann_, 0), second = data(bob_, 0, "y");
  EXPECT_EQ(*add(first, body_of("x")), 0U);
  EXPECT_EQ(*add(second, body_of("y")), 1U);
  EXPECT_EQ(*storage_->size(), 2U);
  EXPECT_EQ(storage_->find(second.id)->value().index, 1U);
  EXPECT_EQ(storage_->at(0)->value().record.bytes, first.bytes);
  EXPECT_FALSE(storage_->at(2)->has_value());
  EXPECT_EQ(storage_->entries(1, 10)->size(), 1U);
  EXPECT_EQ(storage_->body(first.id)->value().body, body_of("x").body);
}

TEST_P(StorageContract, ASequenceHasNoGapAndNoNumberTwice) {
  ASSERT_TRUE(add(data(ann_, 0)));
  EXPECT_EQ(add(data(ann_, 0, "other")).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(add(data(ann_, 2)).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(add(data(ann_, 1)));
  EXPECT_EQ(storage_->author(ann_.public_key())->value().next_seq, 2U);
}

TEST_P(StorageContract, AnotherLogsRecordIsRefused) {
  Header header = data_header(ann_, 0, body_of("x"));
  header.log_key_hash[0] ^= 1;
  EXPECT_EQ(add(*sign_record(header, ann_)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*storage_->size(), 0U);
}

TEST_P(StorageContract, ARetractionErasesTheBodyAndKeepsTheRecord) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  ASSERT_TRUE(add(retraction(ann_, 1, record.id)));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
  EXPECT_TRUE(storage_->find(record.id)->value().retracted);
  EXPECT_TRUE(storage_->record(record.id)->value().retracted);
  // Nor does it come back.
  ASSERT_TRUE(storage_->transaction([&] { return storage_->put_body(record.id, body_of("x")); }));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, WhatAnotherLogRetractsLosesItsBodyForGood) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  ASSERT_TRUE(storage_->transaction([&] { return storage_->withdraw(record.id); }));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
  EXPECT_TRUE((*storage_->find(record.id))->retracted);
  ASSERT_TRUE(storage_->transaction([&] { return storage_->put_body(record.id, body_of("x")); }));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, ABodyOfNoRecordIsNotKept) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(storage_->transaction([&] { return storage_->put_body(record.id, body_of("x")); }));
  ASSERT_TRUE(add(record));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, NobodyRetractsWhatOthersWrote) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  EXPECT_EQ(add(retraction(bob_, 0, record.id)).error().code, ErrorCode::kPermissionDenied);
  EXPECT_TRUE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, ARetractionCannotBeRetracted) {
  const Record record = data(ann_, 0), gone = retraction(ann_, 1, record.id);
  ASSERT_TRUE(add(record));
  ASSERT_TRUE(add(gone));
  EXPECT_EQ(add(retraction(ann_, 2, gone.id)).error().code, ErrorCode::kInvalidArgument);
}

TEST_P(StorageContract, ASuccessorWritesAndRetractsAndTheOldKeyDoesNotWrite) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  ASSERT_TRUE(add(key_change(ann_, 1, {.successor = bob_.public_key()})));
  EXPECT_EQ(add(data(ann_, 2)).error().code, ErrorCode::kPermissionDenied);
  ASSERT_TRUE(add(data(bob_, 0)));
  ASSERT_TRUE(add(retraction(bob_, 1, record.id)));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, ARecoveryKeyRetractsAfterTheKeyWasEnded) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  ASSERT_TRUE(add(key_change(ann_, 1, {.recovery = bob_.public_key()})));
  ASSERT_TRUE(add(key_change(ann_, 2, {})));
  EXPECT_FALSE(add(data(ann_, 3)));
  ASSERT_TRUE(add(retraction(bob_, 0, record.id)));
}

TEST_P(StorageContract, AnEndedKeyRetractsWhatItWroteAndDoesNothingElse) {
  const Record record = data(ann_, 0), later = data(bob_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  ASSERT_TRUE(add(key_change(ann_, 1, {.successor = bob_.public_key()})));
  ASSERT_TRUE(add(later));
  EXPECT_EQ(add(retraction(ann_, 2, later.id)).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(add(key_change(ann_, 2, {})).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(add(retraction(ann_, 3, record.id)).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(add(retraction(ann_, 2, record.id)));
  EXPECT_FALSE(storage_->body(record.id)->has_value());
}

TEST_P(StorageContract, ARecoveryKeyDoesNothingButRetract) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record));
  ASSERT_TRUE(add(key_change(ann_, 1, {.recovery = bob_.public_key()})));
  EXPECT_EQ(add(data(bob_, 0)).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(add(key_change(bob_, 0, {.successor = key_of(3).public_key()})).error().code,
            ErrorCode::kPermissionDenied);
  EXPECT_EQ(add(key_change(ann_, 2, {.successor = bob_.public_key()})).error().code,
            ErrorCode::kAlreadyExists);
  ASSERT_TRUE(add(retraction(bob_, 0, record.id)));
  ASSERT_TRUE(add(data(ann_, 2)));
}

TEST_P(StorageContract, AKeyInUseCannotBecomeASuccessorOrARecoveryKey) {
  const crypto::PublicKey ann = ann_.public_key(), bob = bob_.public_key(),
                          eve = key_of(3).public_key();
  ASSERT_TRUE(add(data(bob_, 0)));
  for (const KeyChange& change :
       {KeyChange{.successor = bob}, KeyChange{.recovery = bob}, KeyChange{.successor = ann},
        KeyChange{.recovery = ann}, KeyChange{.successor = eve, .recovery = eve}})
    EXPECT_EQ(add(key_change(ann_, 0, change)).error().code, ErrorCode::kAlreadyExists);
  // Naming it again is fine, and so is a key whose right to write was taken.
  ASSERT_TRUE(add(key_change(ann_, 0, {.recovery = eve})));
  ASSERT_TRUE(add(key_change(ann_, 1, {.recovery = eve})));
  ASSERT_TRUE(add(key_change(bob_, 1, {})));
  ASSERT_TRUE(add(key_change(ann_, 2, {.recovery = bob})));
}

TEST_P(StorageContract, ASuccessorRetractsOver52RotationsAndNotOverMore) {
  const Record record = data(key_of(1), 0), newer = data(key_of(2), 0);
  ASSERT_TRUE(add(record));
  for (std::uint8_t i = 1; i <= 53; ++i) {
    ASSERT_TRUE(
        add(key_change(key_of(i), i <= 2 ? 1 : 0,
                       {.successor = key_of(static_cast<std::uint8_t>(i + 1)).public_key()})));
    if (i == 1) {
      ASSERT_TRUE(add(newer));
    }
  }
  const crypto::SigningKey last = key_of(54);
  EXPECT_EQ(add(retraction(last, 0, record.id)).error().code, ErrorCode::kPermissionDenied);
  ASSERT_TRUE(add(retraction(last, 0, newer.id)));
}

TEST_P(StorageContract, WhatRefersToARecordIsListedInOrder) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record));
  for (std::uint64_t i = 1; i <= 3; ++i)
    ASSERT_TRUE(add(*sign_record(
        reference_header(ann_, i, Kind::kVote, record.id, encode_vote(Vote::kUp)), ann_)));
  const auto found = storage_->referring_to(record.id);
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ(found->at(2).index, 3U);
}

TEST_P(StorageContract, AFailedTransactionLeavesNothing) {
  const Record record = data(ann_, 0);
  const auto failed = storage_->transaction([&]() -> Result<> {
    const Delta delta = LOAM_TRY(apply(*storage_, record, rules_));
    static_cast<void>(LOAM_TRY(storage_->append(record, delta)));
    return fail(ErrorCode::kUnavailable, "no");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(*storage_->size(), 0U);
  EXPECT_FALSE(storage_->author(ann_.public_key())->has_value());
  EXPECT_TRUE(add(record));
}

TEST_P(StorageContract, ABodyCanBeBlockedAndShownAgain) {
  const Record record = data(ann_, 0);
  ASSERT_TRUE(add(record, body_of("x")));
  for (const bool blocked : {true, false}) {
    ASSERT_TRUE(storage_->transaction([&] { return storage_->set_blocked(record.id, blocked); }));
    EXPECT_EQ(storage_->find(record.id)->value().blocked, blocked);
  }
}

TEST(SqliteStorage, ADatabaseOfTheFirstFormatKeepsItsBodies) {
  constexpr std::array<std::string_view, 1> first = {R"sql(
    CREATE TABLE records (place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL,
                          blocked INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE bodies (id BLOB PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE retracted (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
  )sql"};
  const env::Path file = std::filesystem::temp_directory_path() / env::random_id("loam-ledger-");
  std::vector<Record> records;
  {
    auto database = *store::Database::open(file, first);
    for (std::uint64_t seq = 0; seq < 3; ++seq) {
      const SaltedBody body = body_of(std::to_string(seq));
      const Record record = *sign_record(data_header(key_of(1), seq, body), key_of(1));
      auto place = *database.prepare("INSERT INTO records (place, id, bytes) VALUES (?, ?, ?)");
      place.bind(0, static_cast<std::int64_t>(seq)).bind_blob(1, record.id.digest);
      ASSERT_TRUE(place.bind_blob(2, record.bytes).run());
      auto text = *database.prepare("INSERT INTO bodies (id, salt, body) VALUES (?, ?, ?)");
      text.bind_blob(0, record.id.digest).bind_blob(1, body.salt);
      if (seq != 1) {
        ASSERT_TRUE(text.bind_blob(2, body.body).run());
      }
      records.push_back(record);
    }
  }
  auto storage = *open_sqlite_storage(file);
  EXPECT_EQ(storage->body(records[0].id)->value().body, body_of("0").body);
  EXPECT_FALSE(storage->body(records[1].id)->has_value());
  EXPECT_EQ(storage->body(records[2].id)->value().body, body_of("2").body);
  EXPECT_TRUE(storage->check());
  storage.reset();
  std::filesystem::remove(file);
}

INSTANTIATE_TEST_SUITE_P(Twins, StorageContract, ::testing::Bool(),
                         [](const auto& twin) { return twin.param ? "Sqlite" : "Memory"; });

}  // namespace
}  // namespace loam::ledger
