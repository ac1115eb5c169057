// A log that a second implementation wrote, tests/formats/make_log.py: it opens here and goes on.
#include <gtest/gtest.h>

#include <filesystem>

#include "env/disk.h"
#include "env/random.h"
#include "ledger/restore.h"
#include "ledger/testing/make_record.h"

namespace loam::ledger {
namespace {

using testing::key_of;

constexpr std::uint64_t kRecords = 5;

class ForeignLog : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy(env::Path(LOAM_TESTDATA) / "log", folder_,
                          std::filesystem::copy_options::recursive);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-foreign-log-");
  const crypto::SigningKey log_key_ = key_of(3);
  const crypto::VerifierKey key_ =
      crypto::VerifierKey::of(log_origin(kPublicNet, log_key_.public_key()), log_key_.public_key());
  const LogRules rules_{kPublicNet, crypto::sha256(log_key_.public_key())};
};

TEST_F(ForeignLog, OpensAndEveryRecordIsAccepted) {
  const auto tiles = TileWriter::open(folder_, key_);
  ASSERT_TRUE(tiles) << tiles.error().message;
  EXPECT_EQ(tiles->size(), kRecords);
  const auto storage = make_memory_storage();
  const auto restored = restore_from_tiles(*storage, folder_, *tiles, rules_);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(*restored, kRecords);
  EXPECT_EQ(storage->at(4)->value().record.header.kind, Kind::kVote);
}

TEST_F(ForeignLog, GoesOnFromTheCheckpointThatIsThere) {
  auto tiles = TileWriter::open(folder_, key_);
  ASSERT_TRUE(tiles);
  const crypto::Digest old_root = tiles->root();
  const auto author = key_of(9);
  const auto record =
      sign_record(testing::data_header(author, 0, testing::body_of("Why?")), author);
  ASSERT_TRUE(tiles->publish({record->bytes}, log_key_));
  const auto checkpoint = read_checkpoint(folder_, key_);
  ASSERT_TRUE(checkpoint);
  ASSERT_EQ(checkpoint->size, kRecords + 1);
  const auto proof =
      crypto::consistency_proof(kRecords, kRecords + 1, tile_reader(folder_, kRecords + 1));
  ASSERT_TRUE(proof);
  EXPECT_TRUE(
      crypto::verify_consistency(kRecords, old_root, kRecords + 1, checkpoint->root, *proof));
}

TEST_F(ForeignLog, AnotherKeyDoesNotOpenIt) {
  const auto other = key_of(4).public_key();
  EXPECT_EQ(TileWriter::open(folder_, crypto::VerifierKey::of(key_.name, other)).error().code,
            ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace loam::ledger
