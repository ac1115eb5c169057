// Power cuts at every sync of one story of posts, votes, retractions and publications: nothing that
// was acknowledged is lost or doubled, nothing that was erased comes back, and the log only grew.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/format.h"
#include "base/parse.h"
#include "crypto/merkle.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/random.h"
#include "env/testing/test_disk.h"
#include "ledger/log.h"
#include "ledger/restore.h"
#include "ledger/testing/make_record.h"
#include "ledger/verify.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::key_of;

/// Disks that are drawn for each sync; ./check --deep sets more.
std::uint64_t draws() {
  return static_cast<std::uint64_t>(
      parse_int(env::variable("LOAM_POWER_CUTS").value_or("")).value_or(4));
}

/// What the log holds once all of it is posted. The same drafts always give the same records: keys,
/// salts and time stand still.
struct Step {
  Draft draft;
  std::string text = {};                     // of its body
  std::optional<std::size_t> retracts = {};  // the step whose body this one erases
  std::optional<Record> acknowledged = {};
  std::size_t acknowledged_at = 0;  // on the disk's record
};

class PowerLoss : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(root_)); }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(scratch_);
  }

  Result<> open(const env::Path& home) {
    log_.reset();
    LOAM_TRY(env::make_folder(home / "ledger"));
    LOAM_TRY(env::make_folder(home / "state"));
    auto storage = LOAM_TRY(open_sqlite_storage(home / "ledger" / "ledger.db"));
    log_ = LOAM_TRY(
        Log::open({.folder = home / "ledger" / "log", .head_file = home / "state" / "ledger-head"},
                  {key_of(1), key_of(2)}, std::move(storage), clock_));
    return {};
  }

  // --- the story ---

  std::size_t data() {
    Step step;
    step.text = format("planted needle {} of this story", steps_.size());
    step.draft.licence = "CC-BY-4.0";
    step.draft.scope = {.train = true};
    step.draft.body = body_of(step.text);
    return add(std::move(step));
  }
  std::size_t vote(std::size_t target) {
    Step step;
    step.draft.kind = Kind::kVote;
    step.draft.refs = {steps_[target].acknowledged.value().id};
    step.draft.payload = encode_vote(Vote::kUp);
    return add(std::move(step));
  }
  std::size_t retraction(std::size_t target) {
    Step step;
    step.draft.kind = Kind::kRetraction;
    step.draft.refs = {steps_[target].acknowledged.value().id};
    step.draft.payload = encode_retraction(RetractionReason::kAuthor);
    step.retracts = target;
    return add(std::move(step));
  }
  std::size_t add(Step step) {
    step.draft.token = format("token {}", steps_.size());
    steps_.push_back(std::move(step));
    return steps_.size() - 1;
  }
  /// Posts what was not posted yet.
  void post() {
    std::vector<Draft> drafts;
    std::size_t at = posted_;
    for (std::size_t i = posted_; i < steps_.size(); ++i) drafts.push_back(steps_[i].draft);
    const auto records = log_->post_all(std::move(drafts));
    ASSERT_TRUE(records) << records.error().message;
    posted_ = steps_.size();
    for (const Record& record : *records) {
      steps_[at].acknowledged = record;
      steps_[at++].acknowledged_at = disk_->now();
    }
  }
  std::size_t posted_data() {
    const std::size_t step = data();
    post();
    return step;
  }
  void flush() { ASSERT_TRUE(log_->flush()); }

  void tell() {
    disk_.emplace(root_);
    ASSERT_TRUE(open(root_));
    const std::size_t first = posted_data();
    flush();
    vote(first);
    post();
    retraction(first);
    post();
    flush();
    ASSERT_TRUE(open(root_));
    const std::size_t second = posted_data(), third = posted_data();
    retraction(second);
    vote(third);
    post();  // in one transaction
    for (std::size_t i = steps_.size(); i < 254; ++i) data();
    post();
    flush();
    posted_data();  // record 255: the next one ends a tile
    flush();
    vote(third);
    post();
    posted_data();
    flush();
    ASSERT_TRUE(open(root_));
    retraction(third);
    post();
    posted_data();
    flush();
    root_of_all_ = checkpoint(log_->folder());
    log_.reset();
    disk_->stop();
  }

  // --- after a cut ---

  crypto::Checkpoint checkpoint(const env::Path& folder) {
    return read_checkpoint(folder, log_->verifier_key()).value();
  }

  /// The checkpoints that anybody may have seen before `moment`.
  std::vector<crypto::Checkpoint> seen_until(std::size_t moment) {
    std::vector<crypto::Checkpoint> out;
    for (const auto& [at, checkpoint] : seen_)
      if (at <= moment) out.push_back(checkpoint);
    return out;
  }
  void find_checkpoints(const crypto::VerifierKey& key) {
    for (const std::size_t moment : disk_->moments()) {
      const auto note = disk_->seen(moment, root_ / "ledger" / "log" / "checkpoint");
      if (!note) continue;
      const auto checkpoint = crypto::parse_checkpoint(crypto::open_note(*note, key).value());
      if (seen_.empty() || seen_.back().second != *checkpoint)
        seen_.emplace_back(moment, *checkpoint);
    }
  }

  /// By a retraction that is in the log, acknowledged or not.
  bool is_erased(std::size_t step) const {
    const std::uint64_t size = log_->size().value();
    for (std::size_t other = 0; other < size; ++other)
      if (steps_[other].retracts == step) return true;
    return false;
  }

  void expect_all_acknowledged(std::size_t moment) {
    std::size_t acknowledged = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].acknowledged_at > moment) continue;
      ++acknowledged;
      const Record& record = *steps_[i].acknowledged;
      const auto found = log_->at(i);
      ASSERT_TRUE(found && *found) << "record " << i;
      ASSERT_EQ((*found)->record.bytes, record.bytes) << "record " << i;
      const auto body = log_->body(record.id);
      ASSERT_TRUE(body);
      ASSERT_EQ(body->has_value(), steps_[i].draft.body.has_value() && !is_erased(i))
          << "record " << i;
      if (*body) {
        EXPECT_EQ((*body)->body, steps_[i].draft.body->body) << "record " << i;
      }
    }
    EXPECT_GE(*log_->size(), acknowledged);
  }
  /// Nor is it in a file that happens to lie there.
  void expect_erased(const env::Path& home) {
    std::vector<std::pair<env::Path, std::string>> files;
    for (const auto& file : std::filesystem::recursive_directory_iterator(home))
      // SQLite's -shm has what the heap of this process had, and that is this test's own copy.
      if (file.is_regular_file() && !file.path().native().ends_with("-shm"))
        files.emplace_back(file.path(), *env::read_file(file.path(), 1U << 30));
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (!is_erased(i)) continue;
      for (const auto& [path, content] : files)
        EXPECT_EQ(content.find(steps_[i].text), std::string::npos) << path << ", record " << i;
    }
  }
  /// Everything posted again gives the same log: what was there is there once, what was not is new.
  void expect_the_same_end() {
    std::vector<Draft> drafts;
    for (const Step& step : steps_) drafts.push_back(step.draft);
    const auto records = log_->post_all(std::move(drafts));
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_TRUE(log_->flush());
    EXPECT_EQ(checkpoint(log_->folder()), root_of_all_);
  }
  void expect_grown(std::size_t moment) {
    const crypto::Checkpoint now = checkpoint(log_->folder());
    const auto read = tile_reader(log_->folder(), now.size);
    for (const crypto::Checkpoint& old : seen_until(moment)) {
      ASSERT_LE(old.size, now.size);
      const auto proof = crypto::consistency_proof(old.size, now.size, read);
      ASSERT_TRUE(proof) << proof.error().message;
      EXPECT_TRUE(crypto::verify_consistency(old.size, old.root, now.size, now.root, *proof));
    }
  }
  void expect_verified(const env::Path& home) {
    const crypto::VerifierKey key = log_->verifier_key();
    const env::Path folder = log_->folder();
    log_.reset();
    const auto storage = open_sqlite_storage(home / "ledger" / "ledger.db");
    const auto verified =
        verify_log(folder, key, kPublicNet, storage->get(), [](auto, auto) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_TRUE(verified->faults.empty()) << verified->faults.front();
  }

  /// The log on one of the disks that a cut at `moment` may leave.
  void cut(std::size_t moment, std::uint64_t seed) {
    const env::Path home = scratch_ / "after";
    std::filesystem::remove_all(home);
    disk_->survive(moment, seed, home);
    const auto opened = open(home);
    ASSERT_TRUE(opened) << opened.error().message;
    expect_all_acknowledged(moment);
    expect_erased(home);
    expect_grown(moment);
    expect_the_same_end();
    expect_grown(moment);
    if (seed == 0) expect_verified(home);
    log_.reset();
  }

  const env::Path scratch_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-power-loss-");
  const env::Path root_ = scratch_ / "disk";
  env::ManualClock clock_;
  std::optional<env::testing::TestDisk> disk_;
  std::unique_ptr<Log> log_;
  std::vector<Step> steps_;
  std::size_t posted_ = 0;
  crypto::Checkpoint root_of_all_;
  std::vector<std::pair<std::size_t, crypto::Checkpoint>> seen_;  // since which moment
};

class PowerLossAtEverySync : public PowerLoss,
                             public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(PowerLossAtEverySync, NothingAcknowledgedIsLostOrDoubled) {
  tell();
  ASSERT_FALSE(HasFatalFailure());
  const auto key = key_of(1).public_key();
  find_checkpoints(crypto::VerifierKey::of(log_origin(kPublicNet, key), key));
  EXPECT_GE(seen_.size(), 6U);
  const std::vector<std::size_t> moments = disk_->moments();
  EXPECT_GE(moments.size(), 100U);
  for (const std::size_t moment : moments) {
    SCOPED_TRACE(format("power cut at moment {}, seed {}", moment, GetParam()));
    cut(moment, GetParam());
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Draws, PowerLossAtEverySync, ::testing::Range(std::uint64_t{0}, draws()));

}  // namespace
}  // namespace loam::ledger
