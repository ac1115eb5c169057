// What a log meets in the world: clocks that jump, disks that are full or fail, records that are
// too large.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/format.h"
#include "env/file.h"
#include "env/random.h"
#include "env/testing/test_disk.h"
#include "ledger/log.h"
#include "ledger/testing/make_record.h"
#include "ledger/verify.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::key_of;

constexpr std::int64_t kDay_ms = 86'400'000;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_)); }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  Result<> try_open() {
    log_.reset();
    auto storage = LOAM_TRY(open_sqlite_storage(folder_ / "ledger.db"));
    log_ = LOAM_TRY(Log::open({.folder = folder_ / "log", .head_file = folder_ / "head"},
                              {key_of(1), key_of(2)}, std::move(storage), clock_));
    return {};
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  static Draft draft_of(std::string_view text) {
    Draft draft;
    draft.licence = "CC-BY-4.0";
    draft.scope = {.train = true};
    draft.body = body_of(text);
    draft.token = text;
    return draft;
  }
  static Draft with_payload(std::size_t bytes) {
    Draft draft;
    draft.kind = Kind::kNode;
    draft.payload = Bytes(bytes, 0x61);
    return draft;
  }
  /// Closes the log; all of it is as it should be.
  void expect_whole(std::uint64_t records) {
    ASSERT_TRUE(log_->flush());
    const crypto::VerifierKey key = log_->verifier_key();
    log_.reset();
    const auto storage = open_sqlite_storage(folder_ / "ledger.db").value();
    const auto verified = verify_log(folder_ / "log", key, kPublicNet, storage.get(),
                                     [](auto, auto) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->records, records);
    EXPECT_TRUE(verified->faults.empty()) << verified->faults.front();
  }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-bad-");
  env::ManualClock clock_;
  std::unique_ptr<Log> log_;
};

TEST_F(BadInput, AClockThatWasSetBackChangesNothingButTimes) {
  open();
  const auto before = log_->post(draft_of("a"));
  clock_.advance_ms(-2 * kDay_ms);
  const auto after = log_->post(draft_of("b"));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->header.seq, 1U);
  EXPECT_EQ(after->header.time_s, before->header.time_s - 2 * kDay_ms / 1000);
  open();
  EXPECT_EQ(log_->post(draft_of("a"))->id, before->id);
  expect_whole(2);
}

TEST_F(BadInput, AClockFromBefore1970OrAfter9999IsRefused) {
  open();
  const std::int64_t now = clock_.wall_ms();
  clock_.advance_ms(-now - kDay_ms);
  EXPECT_EQ(log_->post(draft_of("a")).error().code, ErrorCode::kInvalidArgument);
  clock_.advance_ms(8100 * 365 * kDay_ms);
  EXPECT_EQ(log_->post(draft_of("a")).error().code, ErrorCode::kInvalidArgument);
  clock_.advance_ms(now - clock_.wall_ms());
  EXPECT_TRUE(log_->post(draft_of("a")));
  expect_whole(1);
}

TEST_F(BadInput, WhatIsTooLargeIsRefusedAndNothingIsWritten) {
  open();
  // The largest record that there is, and one byte more.
  const std::size_t around = log_->post(with_payload(50'000))->bytes.size() - 50'000;
  const auto largest = log_->post(with_payload(kRecordBytesMax - around));
  ASSERT_TRUE(largest) << largest.error().message;
  EXPECT_EQ(largest->bytes.size(), kRecordBytesMax);
  const auto refused = log_->post(with_payload(kRecordBytesMax - around + 1));
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  Draft body = draft_of("a");
  body.body->body.resize(kBodyBytesMax);
  EXPECT_TRUE(log_->post(body));
  for (const std::size_t bytes : {kBodyBytesMax + 1, std::size_t{10'000'000}}) {
    body.token = format("{} bytes", bytes);
    body.body->body.resize(bytes);
    EXPECT_EQ(log_->post(body).error().code, ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(*log_->size(), 3U);
  expect_whole(3);
}

/// Every place of a commit and a publication at which a disk may fail.
class FailingDisk : public BadInput {
 protected:
  void SetUp() override {
    BadInput::SetUp();
    disk_.emplace(folder_);
    open();
    ASSERT_TRUE(log_->post(draft_of("first")));
    ASSERT_TRUE(log_->flush());
  }
  /// Posts and publishes until `fail` no longer comes in between.
  template <class Fail>
  void sweep(ErrorCode expected, Fail fail) {
    std::uint64_t posted = 1;
    int refusals = 0;
    for (std::size_t calls = 0, quiet = 0; quiet < 2; ++calls) {
      ASSERT_LT(calls, 200U);
      fail(calls);
      const Draft draft = draft_of(format("text {}", calls));
      const auto record = log_->post(draft);
      const auto flushed = log_->flush();
      disk_->mend();
      if (!record) {
        ++refusals;
        EXPECT_EQ(record.error().code, expected) << record.error().message;
        EXPECT_TRUE(record.error().message.contains("ledger.db")) << record.error().message;
        EXPECT_NE(record.error().hint, "");
      }
      if (!flushed) {
        EXPECT_TRUE(flushed.error().message.contains(folder_.string())) << flushed.error().message;
      }
      // Once there is room again, it goes on as if nothing had been.
      const auto again = log_->post(draft);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_TRUE(!record || record->id == again->id);
      EXPECT_EQ(*log_->size(), ++posted);
      ASSERT_TRUE(log_->flush());
      quiet = record && flushed ? quiet + 1 : 0;
      if (calls % 5 == 4) open();
    }
    EXPECT_GT(refusals, 0);
    expect_whole(posted);
  }

  std::optional<env::testing::TestDisk> disk_;
};

TEST_F(FailingDisk, AFullDiskRefusesWhatDoesNotFitAndLosesNothing) {
  sweep(ErrorCode::kResourceExhausted, [&](std::size_t calls) { disk_->fill_after(calls); });
}

TEST_F(FailingDisk, ADiskThatCannotSyncAcknowledgesNothingAndLosesNothing) {
  sweep(ErrorCode::kUnavailable, [&](std::size_t calls) { disk_->break_after(calls); });
}

TEST_F(FailingDisk, AFullDiskAtTheStartIsSaid) {
  log_.reset();
  disk_->fill_after(0);
  const auto opened = try_open();
  disk_->mend();
  EXPECT_TRUE(opened || opened.error().message.contains(folder_.string()));
  open();
  expect_whole(1);
}

}  // namespace
}  // namespace loam::ledger
