// A node's identity on the disk: rotation, backup, restoration, and a log that goes on from a copy.
#include "ledger/home.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/file.h"
#include "env/random.h"
#include "ledger/backup.h"
#include "ledger/restore.h"
#include "ledger/testing/make_record.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::key_of;

class HomeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(root_));
    home_ = make_home("one");
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(root_);
  }

  LogHome make_home(const std::string& name) {
    EXPECT_TRUE(env::make_folder(root_ / name / "state"));
    return {.base = root_ / name / "ledger", .head_file = root_ / name / "state" / "ledger-head"};
  }
  void open() { open(home_); }
  void open(const LogHome& home) {
    log_.reset();
    auto opened = open_log(home, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    log_ = std::move(*opened);
  }
  Result<Record> post() {
    Draft draft;
    draft.licence = "CC-BY-4.0";
    draft.scope = {.train = true};
    draft.body = body_of(std::to_string(posted_++));
    return log_->post(std::move(draft));
  }
  void post_many(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(post());
    ASSERT_TRUE(log_->flush());
  }
  /// What any web server could serve.
  env::Path export_of(const LogHome& home, const std::string& name) {
    const auto keys = read_keys(home.keys());
    const auto storage = open_sqlite_storage(home.database());
    EXPECT_TRUE(export_log(home.setup().folder, home.verifier_key(*keys), **storage, root_ / name));
    return root_ / name;
  }
  Result<Resumed> resume(const LogHome& home, const env::Path& copy) {
    log_.reset();
    const auto source = open_log_folder(copy);
    return resume_log(home, *source, [](std::uint64_t, std::uint64_t) { return true; });
  }
  void expect_sound(const LogHome& home) {
    const auto keys = read_keys(home.keys());
    const auto storage = open_sqlite_storage(home.database());
    const auto verified =
        verify_log(home.setup().folder, home.verifier_key(*keys), home.net, storage->get(),
                   [](std::uint64_t, std::uint64_t) { return true; });
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_TRUE(verified->faults.empty()) << verified->faults.front();
  }

  env::Path root_ = std::filesystem::temp_directory_path() / env::random_id("loam-home-");
  env::ManualClock clock_;
  LogHome home_;
  std::unique_ptr<Log> log_;
  int posted_ = 0;
};

// --- rotation
// --------------------------------------------------------------------------------------

TEST_F(HomeTest, ASuccessorSignsAndTheNodeStillRetractsWhatTheOldKeyWrote) {
  open();
  const auto old_record = post();
  const crypto::PublicKey before = log_->author();
  const auto change = log_->rotate();
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(change->header.author, before);
  EXPECT_NE(log_->author(), before);
  EXPECT_EQ(post()->header.author, log_->author());
  EXPECT_TRUE(log_->is_own(before).value());
  EXPECT_FALSE(log_->is_own(key_of(9).public_key()).value());
  const crypto::PublicKey after = log_->author();
  open();
  EXPECT_EQ(log_->author(), after);
  Draft gone;
  gone.kind = Kind::kRetraction;
  gone.refs = {old_record->id};
  gone.payload = encode_retraction(RetractionReason::kAuthor);
  ASSERT_TRUE(log_->post(std::move(gone)));
  EXPECT_FALSE(log_->body(old_record->id)->has_value());
  ASSERT_TRUE(log_->flush());
  log_.reset();
  expect_sound(home_);
}

TEST_F(HomeTest, TheFirstKeyRetractsWhatNoLaterKeySpeaksForAnyMore) {
  open();
  const auto old_record = post();
  for (int i = 0; i < 53; ++i) ASSERT_TRUE(log_->rotate());
  Draft gone;
  gone.kind = Kind::kRetraction;
  gone.refs = {old_record->id};
  gone.payload = encode_retraction(RetractionReason::kAuthor);
  const auto done = log_->post(std::move(gone));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(log_->body(old_record->id)->has_value());
}

TEST_F(HomeTest, AKeyFromElsewhereSignsARetractionAndNothingElse) {
  open();
  const auto elsewhere = std::make_shared<const crypto::SigningKey>(key_of(9));
  const auto record = post();
  Draft gone;
  gone.kind = Kind::kRetraction;
  gone.refs = {RecordId{crypto::sha256(as_bytes("a record of another log"))}};
  gone.payload = encode_retraction(RetractionReason::kAuthor);
  gone.signer = elsewhere;
  for (std::uint64_t seq = 0; seq < 2; ++seq) {
    const auto done = log_->post(gone);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->header.author, elsewhere->public_key());
    EXPECT_EQ(done->header.seq, seq);
  }
  gone.refs = {record->id};
  EXPECT_EQ(log_->post(gone).error().code, ErrorCode::kPermissionDenied);
  Draft vote;
  vote.kind = Kind::kVote;
  vote.refs = {record->id};
  vote.payload = encode_vote(Vote::kUp);
  vote.signer = elsewhere;
  EXPECT_EQ(log_->post(vote).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(post()->header.author, log_->author());
  ASSERT_TRUE(log_->flush());
  log_.reset();
  expect_sound(home_);
}

TEST_F(HomeTest, ARotationThatNeverCameIntoTheLogIsTakenUpAgain) {
  open();
  ASSERT_TRUE(post());
  const crypto::PublicKey before = log_->author();
  log_.reset();
  crypto::PublicKey prepared{};
  {
    auto keys = read_keys(home_.keys());
    const auto storage = open_sqlite_storage(home_.database());
    prepared = prepare_successor(**storage, *keys).value();  // and the node dies
  }
  open();
  EXPECT_EQ(post()->header.author, before);
  ASSERT_TRUE(log_->rotate());
  EXPECT_EQ(log_->author(), prepared);
  EXPECT_EQ(read_keys(home_.keys())->authors.size(), 2U);
}

TEST_F(HomeTest, ARecoveryKeyIsNamedAndTheAuthorWritesOn) {
  open();
  Draft draft;
  draft.kind = Kind::kKey;
  draft.payload = encode_key_change({.recovery = key_of(9).public_key()});
  const crypto::PublicKey before = log_->author();
  ASSERT_TRUE(log_->post(std::move(draft)));
  EXPECT_EQ(log_->author(), before);
  EXPECT_EQ(post()->header.author, before);
}

// --- backup and restoration
// ------------------------------------------------------------------------

TEST_F(HomeTest, ABackupReadsBackAndKeepsEveryKey) {
  open();
  ASSERT_TRUE(log_->rotate());
  post_many(2);
  const crypto::PublicKey log_key = log_->verifier_key().key;
  log_.reset();
  const auto backup = make_backup(home_);
  ASSERT_TRUE(backup) << backup.error().message;
  const std::string text = encode_backup(*backup);
  const auto read = parse_backup(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(encode_backup(*read), text);
  EXPECT_EQ(read->keys.log.public_key(), log_key);
  EXPECT_EQ(read->keys.authors.size(), 2U);
  EXPECT_NE(read->head.find("\n3\n"), std::string::npos);
}

TEST_F(HomeTest, EveryCutAndEveryChangedCharacterOfABackupIsNoticed) {
  open();
  post_many(1);
  log_.reset();
  const std::string text = encode_backup(make_backup(home_).value());
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(parse_backup(text.substr(0, at))) << "cut at " << at;
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(parse_backup(changed)) << "changed at " << at;
  }
  EXPECT_FALSE(parse_backup(text + "\n"));
  EXPECT_EQ(parse_backup("loam identity 2\n").error().code, ErrorCode::kUnsupported);
}

TEST_F(HomeTest, ASealedBackupOpensWithItsPassphraseAlone) {
  open();
  log_.reset();
  const std::string text = encode_backup(make_backup(home_).value());
  const auto sealed = seal_backup(text, "correct horse");
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_TRUE(is_sealed_backup(*sealed));
  EXPECT_FALSE(parse_backup(*sealed));
  EXPECT_EQ(open_sealed_backup(*sealed, "correct horse").value(), text);
  EXPECT_EQ(open_sealed_backup(*sealed, "wrong").error().code, ErrorCode::kPermissionDenied);
  std::string changed = *sealed;
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  EXPECT_EQ(open_sealed_backup(changed, "correct horse").error().code, ErrorCode::kCorrupt);
}

TEST_F(HomeTest, RestoredKeysSignNothingUntilTheLogIsFetched) {
  open();
  post_many(2);
  auto backup = make_backup(home_);
  post_many(300);  // after the backup was made
  ASSERT_TRUE(log_->rotate());
  post_many(1);
  log_.reset();
  const env::Path copy = export_of(home_, "export");

  const LogHome other = make_home("two");
  ASSERT_TRUE(restore_backup(other, *std::move(backup)));
  EXPECT_EQ(restore_backup(other, make_backup(home_).value()).error().code,
            ErrorCode::kAlreadyExists);
  open(other);
  EXPECT_EQ(post().error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(log_->rotate().error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(post().error().hint.find("ledger resume --from"), std::string::npos);

  const auto resumed = resume(other, copy);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(resumed->records, 304U);
  EXPECT_EQ(resumed->fetched, 304U);
  EXPECT_EQ(resumed->bodies, 303U);
  // The log is whole and could go on, but the key that writes to it is not in that backup.
  open(other);
  EXPECT_EQ(post().error().code, ErrorCode::kPermissionDenied);
  log_.reset();
  expect_sound(other);
}

TEST_F(HomeTest, ABackupFromBeforeTheFirstRecordDoesNotSignEither) {
  open();
  const crypto::PublicKey author = log_->author();
  auto backup = make_backup(home_);
  EXPECT_TRUE(backup->head.empty());
  post_many(3);
  log_.reset();
  const env::Path copy = export_of(home_, "export");
  const LogHome other = make_home("two");
  ASSERT_TRUE(restore_backup(other, *std::move(backup)));
  open(other);
  EXPECT_FALSE(post());
  ASSERT_TRUE(resume(other, copy));
  open(other);
  EXPECT_EQ(post()->header.author, author);
  EXPECT_EQ(log_->at(3)->value().record.header.seq, 3U);
}

TEST_F(HomeTest, AFirstStartThatWasCutOffIsMadeWhole) {
  open();
  const crypto::PublicKey author = log_->author();
  log_.reset();
  std::filesystem::remove(home_.keys() / "log.key");
  std::filesystem::remove(home_.head_file);
  std::filesystem::remove_all(home_.setup().folder);
  open();
  EXPECT_EQ(log_->author(), author);
  EXPECT_TRUE(post());
}

TEST_F(HomeTest, AHomeThatLostOnlyItsKeysGoesOnWithThemAtOnce) {
  open();
  post_many(2);
  log_.reset();
  auto backup = make_backup(home_);
  std::filesystem::remove_all(home_.keys());
  EXPECT_EQ(open_log(home_, clock_).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(restore_backup(home_, *std::move(backup)));
  open();
  EXPECT_TRUE(post());
}

// --- resume
// ----------------------------------------------------------------------------------------

TEST_F(HomeTest, AnOldCopyIsReadSignsNothingAndGoesOnFromAnExport) {
  open();
  post_many(200);
  log_.reset();
  std::filesystem::copy(home_.base, root_ / "old", std::filesystem::copy_options::recursive);
  open();
  post_many(150);
  const RecordId newest = log_->at(349)->value().record.id;
  log_.reset();
  const env::Path copy = export_of(home_, "export");
  const std::string head = *env::read_file(home_.head_file, 4096);
  std::filesystem::remove_all(home_.base);
  std::filesystem::rename(root_ / "old", home_.base);

  open();
  EXPECT_EQ(*log_->size(), 200U);
  EXPECT_TRUE(log_->at(7)->has_value());
  EXPECT_EQ(log_->published(), 200U);
  EXPECT_EQ(post().error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(log_->check_signs().error().code, ErrorCode::kAlreadyExists);

  const auto resumed = resume(home_, copy);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(resumed->fetched, 150U);
  EXPECT_EQ(resumed->bodies, 150U);
  EXPECT_EQ(*env::read_file(home_.head_file, 4096), head);
  open();
  EXPECT_TRUE(log_->body(newest)->has_value());
  post_many(1);
  log_.reset();
  expect_sound(home_);
}

TEST_F(HomeTest, ACopyThatIsTooShortChangedOrAnotherHistoryIsRefusedAndChangesNothing) {
  open();
  post_many(10);
  const env::Path short_copy = export_of(home_, "short");
  log_.reset();
  std::filesystem::copy(home_.base, root_ / "old", std::filesystem::copy_options::recursive);
  std::filesystem::copy(home_.base, root_ / "fork", std::filesystem::copy_options::recursive);
  open();
  post_many(10);
  log_.reset();
  const env::Path copy = export_of(home_, "export");
  // The same keys sign other records on another machine.
  const LogHome twin = make_home("twin");
  std::filesystem::rename(root_ / "fork", twin.base);
  ASSERT_TRUE(
      env::write_file_atomic(twin.head_file, *env::read_file(short_copy / "checkpoint", 4096)));
  open(twin);
  post_many(15);
  log_.reset();
  const env::Path fork = export_of(twin, "forked");
  std::filesystem::remove_all(home_.base);
  std::filesystem::rename(root_ / "old", home_.base);

  EXPECT_EQ(resume(home_, short_copy).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(resume(home_, root_ / "nothing").error().code, ErrorCode::kNotFound);
  const env::Path bundle = copy / "tile" / "entries" / "000.p" / "20";
  const std::string whole = *env::read_file(bundle, 1U << 20);
  std::string changed = whole;
  changed[changed.size() - 5] = static_cast<char>(changed[changed.size() - 5] ^ 1);
  ASSERT_TRUE(env::write_file_atomic(bundle, changed));
  EXPECT_EQ(resume(home_, copy).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(open_sqlite_storage(home_.database()).value()->size().value(), 10U);
  ASSERT_TRUE(env::write_file_atomic(bundle, whole));
  // A fork that is longer: it goes on from what is here, and is not what was signed.
  EXPECT_EQ(resume(home_, fork).error().code, ErrorCode::kCorrupt);
  open();
  EXPECT_EQ(post().error().code, ErrorCode::kAlreadyExists);
}

TEST_F(HomeTest, WithoutTheHighestCheckpointALogThatIsNotEmptyStops) {
  open();
  post_many(2);
  log_.reset();
  std::filesystem::remove(home_.head_file);
  open();
  EXPECT_EQ(post().error().code, ErrorCode::kAlreadyExists);
  // Its own files are the newest copy, if the owner says so.
  ASSERT_TRUE(resume(home_, home_.setup().folder));
  open();
  EXPECT_TRUE(post());
}

TEST_F(HomeTest, ADamagedLogIsReadAndSignsNothing) {
  open();
  post_many(3);
  log_.reset();
  ASSERT_TRUE(env::write_file_atomic(home_.setup().folder / "tile" / "0" / "000.p" / "3", "x"));
  open();
  EXPECT_EQ(*log_->size(), 3U);
  EXPECT_EQ(post().error().code, ErrorCode::kCorrupt);
}

// --- another log
// -----------------------------------------------------------------------------------

TEST_F(HomeTest, ANewLogBeginsWithALinkThatTheOldKeySigned) {
  open();
  post_many(3);
  const crypto::VerifierKey old = log_->verifier_key();
  const crypto::PublicKey author = log_->author();
  log_.reset();
  const auto aside = start_new_log(home_, clock_);
  ASSERT_TRUE(aside) << aside.error().message;
  EXPECT_TRUE(env::is_plain_file(*aside / "keys" / "log.key"));
  EXPECT_TRUE(env::is_plain_file(*aside / "ledger.db"));
  open();
  ASSERT_TRUE(log_->check_signs());
  EXPECT_NE(log_->verifier_key().key, old.key);
  EXPECT_NE(log_->author(), author);
  ASSERT_EQ(*log_->size(), 1U);
  const Header link = log_->at(0)->value().record.header;
  EXPECT_EQ(link.kind, Kind::kCheckpoint);
  const auto note = crypto::open_note(as_text(link.payload), old);
  ASSERT_TRUE(note) << note.error().message;
  const auto last = crypto::parse_checkpoint(*note);
  EXPECT_EQ(last->size, 3U);
  EXPECT_EQ(last->extensions, std::vector{"next " + log_->verifier_key().name});
  post_many(1);
  log_.reset();
  expect_sound(home_);
}

TEST_F(HomeTest, ANewLogIsPutInPlaceHoweverOftenTheProgramDiesMeanwhile) {
  open();
  post_many(1);
  const crypto::PublicKey old_key = log_->verifier_key().key;
  log_.reset();
  // Made whole, and not yet in place.
  std::filesystem::copy(home_.base, root_ / "before", std::filesystem::copy_options::recursive);
  const std::string head = *env::read_file(home_.head_file, 4096);
  const auto aside = start_new_log(home_, clock_);
  ASSERT_TRUE(aside);
  const crypto::PublicKey new_key = read_keys(home_.keys())->log.public_key();
  // As it was after each of the moves.
  for (int done = 0; done <= 6; ++done) {
    const LogHome home = make_home("cut" + std::to_string(done));
    const env::Path made = home.base / "new", old = home.base / aside->filename();
    ASSERT_TRUE(env::make_folder(made));
    ASSERT_TRUE(env::make_folder(old));
    const auto place = [&](const char* part, int moves) {
      const auto recursive = std::filesystem::copy_options::recursive;
      std::filesystem::copy(root_ / "before" / part, (moves > 0 ? old : home.base) / part,
                            recursive);
      std::filesystem::copy(home_.base / part, (moves > 1 ? home.base : made) / part, recursive);
    };
    place("ledger.db", done);
    place("log", done - 2);
    place("keys", done - 4);
    ASSERT_TRUE(env::write_file_atomic(home.head_file, head));
    ASSERT_TRUE(
        env::write_file_atomic(made / "ledger-head", *env::read_file(home_.head_file, 4096)));
    ASSERT_TRUE(env::write_file_atomic(made / "ready", aside->filename().string().substr(11)));
    open(home);
    ASSERT_TRUE(log_->check_signs()) << done << ": " << log_->check_signs().error().message;
    EXPECT_EQ(log_->verifier_key().key, new_key);
    EXPECT_EQ(*log_->size(), 1U);
    log_.reset();
    EXPECT_EQ(read_keys(old / "keys")->log.public_key(), old_key);
    EXPECT_FALSE(env::is_plain_file(made / "ready"));
  }
}

TEST_F(HomeTest, ALogThatSignedNothingNeedsNoLink) {
  open();
  log_.reset();
  ASSERT_TRUE(start_new_log(home_, clock_));
  open();
  EXPECT_EQ(*log_->size(), 0U);
  EXPECT_TRUE(post());
}

}  // namespace
}  // namespace loam::ledger
