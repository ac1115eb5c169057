// The log as a whole: posts become durable, published, provable; damage and old copies are noticed.
#include "ledger/log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "crypto/merkle.h"
#include "env/file.h"
#include "env/random.h"
#include "env/thread.h"
#include "ledger/restore.h"
#include "ledger/testing/make_record.h"
#include "ledger/verify.h"
#include "store/database.h"

namespace loam::ledger {
namespace {

using testing::body_of;

Draft draft_of(std::string_view text) {
  Draft draft;
  draft.licence = "CC-BY-4.0";
  draft.scope = {.train = true};
  draft.body = body_of(text);
  return draft;
}

Draft retraction_of(const RecordId& id) {
  Draft draft;
  draft.kind = Kind::kRetraction;
  draft.refs = {id};
  draft.payload = encode_retraction(RetractionReason::kAuthor);
  return draft;
}

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_)); }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  Result<std::unique_ptr<Log>> try_open() {
    LogKeys keys = LOAM_TRY(open_keys(folder_ / "keys"));
    auto storage = LOAM_TRY(open_sqlite_storage(folder_ / "ledger.db"));
    return Log::open({.folder = folder_ / "log", .head_file = folder_ / "head"}, std::move(keys),
                     std::move(storage), clock_);
  }
  void open() {
    log_.reset();
    auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
    log_ = std::move(*opened);
  }
  void post(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i)
      ASSERT_TRUE(log_->post(draft_of(std::to_string(posted_++))));
    ASSERT_TRUE(log_->flush());
  }
  /// Closes the log, and keeps a copy of all but the head and the keys.
  void copy_home() {
    log_.reset();
    std::filesystem::copy(folder_ / "log", folder_ / "old-log",
                          std::filesystem::copy_options::recursive);
    std::filesystem::copy(folder_ / "ledger.db", folder_ / "old.db");
  }
  void put_copy_back() {
    log_.reset();
    std::filesystem::remove_all(folder_ / "log");
    std::filesystem::rename(folder_ / "old-log", folder_ / "log");
    std::filesystem::rename(folder_ / "old.db", folder_ / "ledger.db");
  }
  crypto::Checkpoint checkpoint() {
    return read_checkpoint(log_->folder(), log_->verifier_key()).value();
  }
  /// Every record is in the tree of the checkpoint, and every leaf is a record.
  void expect_provable() {
    const crypto::Checkpoint head = checkpoint();
    ASSERT_EQ(head.size, *log_->size());
    const auto read = tile_reader(log_->folder(), head.size);
    EXPECT_EQ(*crypto::tree_root(head.size, read), head.root);
    const auto entries = read_entries(log_->folder(), head.size, 0, head.size);
    ASSERT_TRUE(entries) << entries.error().message;
    for (std::uint64_t i = 0; i < head.size; ++i) {
      EXPECT_EQ(log_->at(i)->value().record.bytes, entries->at(i));
      const auto proof = crypto::inclusion_proof(i, head.size, read);
      ASSERT_TRUE(proof);
      EXPECT_TRUE(crypto::verify_inclusion(crypto::leaf_hash(entries->at(i)), i, head.size, *proof,
                                           head.root));
    }
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-log-");
  env::ManualClock clock_;
  std::unique_ptr<Log> log_;
  std::uint64_t posted_ = 0;
};

TEST_F(LogTest, APostIsDurableThenPublishedAndProvable) {
  open();
  const auto record = log_->post(draft_of("Why?"));
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->header.seq, 0U);
  EXPECT_EQ(record->header.time_s % kHour_s, 0);
  EXPECT_EQ(log_->body(record->id)->value().body, body_of("Why?").body);
  ASSERT_TRUE(log_->flush());
  expect_provable();
  EXPECT_EQ(verify_record(record->bytes, kPublicNet)->id, record->id);
}

TEST_F(LogTest, ItGrowsOverTilesAndRestartsAndOldTreesAreInNewOnes) {
  open();
  std::vector<crypto::Checkpoint> seen;
  for (const std::uint64_t more :
       {1U, 200U, 55U, 1U, 300U}) {  // 257 and 557: over the edge of a tile
    post(more);
    seen.push_back(checkpoint());
    open();
  }
  expect_provable();
  const crypto::Checkpoint last = checkpoint();
  const auto read = tile_reader(log_->folder(), last.size);
  for (const crypto::Checkpoint& old : seen) {
    const auto proof = crypto::consistency_proof(old.size, last.size, read);
    ASSERT_TRUE(proof);
    EXPECT_TRUE(crypto::verify_consistency(old.size, old.root, last.size, last.root, *proof));
  }
}

TEST_F(LogTest, ManyWritersShareTheLogAndNothingIsLostOrDoubled) {
  open();
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 8; ++w)
      writers.push_back(env::start_thread("poster", [&, w](const std::stop_token&) {
        for (int i = 0; i < 25; ++i)
          if (!log_->post(draft_of(std::to_string(w * 100 + i)))) ++failed;
      }));
  }
  EXPECT_EQ(failed, 0);
  ASSERT_TRUE(log_->flush());
  EXPECT_EQ(*log_->size(), 200U);
  expect_provable();
}

TEST_F(LogTest, PostsThatBelongTogetherComeTogetherOrNotAtAll) {
  open();
  const auto record = log_->post(draft_of("a"));
  auto other = draft_of("b");
  other.licence = "not a licence";
  EXPECT_FALSE(log_->post_all({draft_of("c"), std::move(other)}));
  EXPECT_FALSE(log_->post_all(
      {draft_of("c"), retraction_of(record->id), retraction_of(log_->at(0)->value().record.id), [] {
         Draft vote;
         vote.kind = Kind::kVote;
         vote.refs = {RecordId{}};
         vote.payload = {0xA0};
         return vote;
       }()}));
  EXPECT_EQ(*log_->size(), 1U);
  EXPECT_EQ(log_->post_all({draft_of("c"), draft_of("d")})->size(), 2U);
}

TEST_F(LogTest, ATokenMakesOneRecordHoweverOftenItIsPosted) {
  open();
  Draft draft = draft_of("a");
  draft.token = "share-1";
  const auto first = log_->post(draft), again = log_->post(draft);
  EXPECT_EQ(first->id, again->id);
  open();
  EXPECT_EQ(log_->post(draft)->id, first->id);
  EXPECT_EQ(*log_->size(), 1U);
}

TEST_F(LogTest, ARetractionLeavesNoTraceOfTheText) {
  open();
  const auto record = log_->post(draft_of("planted-needle-one"));
  ASSERT_TRUE(log_->flush());
  ASSERT_TRUE(log_->post(retraction_of(record->id)));
  ASSERT_TRUE(log_->flush());
  EXPECT_FALSE(log_->body(record->id)->has_value());
  expect_provable();
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
    if (!file.is_regular_file()) continue;
    const std::string content = *env::read_file(file.path(), 1U << 30);
    EXPECT_EQ(content.find("planted-needle-one"), std::string::npos) << file.path();
  }
}

TEST_F(LogTest, HeadersComeBackFromTheTilesIfTheDatabaseIsLost) {
  open();
  post(300);
  const RecordId id = log_->at(299)->value().record.id;
  log_.reset();
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"})
    std::filesystem::remove(folder_ / name);
  open();
  EXPECT_EQ(*log_->size(), 300U);
  EXPECT_TRUE(log_->find(id)->has_value());
  EXPECT_FALSE(log_->body(id)->has_value());
  post(1);
  expect_provable();
}

TEST_F(LogTest, TextsThatWereLostWithTheDatabaseAreNamedAndErasedOnesAreNot) {
  open();
  post(3);
  const RecordId first = log_->at(0)->value().record.id, erased = log_->at(1)->value().record.id,
                 last = log_->at(2)->value().record.id;
  ASSERT_TRUE(log_->post(retraction_of(erased)));
  ASSERT_TRUE(log_->flush());
  log_.reset();
  std::filesystem::remove(folder_ / "ledger.db");
  open();
  post(1);
  const crypto::VerifierKey key = log_->verifier_key();
  log_.reset();
  const auto storage = open_sqlite_storage(folder_ / "ledger.db");
  const auto verified = verify_log(folder_ / "log", key, kPublicNet, storage->get(),
                                   [](std::uint64_t, std::uint64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->faults, std::vector<std::string>());
  EXPECT_EQ(verified->missing, (std::vector<RecordId>{first, last}));
  EXPECT_EQ(verified->bodies, 1U);
}

TEST_F(LogTest, AnOlderCopyOfTheHomeSignsNothing) {
  open();
  post(3);
  copy_home();
  open();
  post(2);
  put_copy_back();
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(LogTest, ACheckpointThatWasServedAndNotKeptIsKeptAtTheNextStart) {
  open();
  post(3);
  copy_home();
  const std::string head = *env::read_file(folder_ / "head", 1U << 20);
  open();
  post(2);
  log_.reset();
  ASSERT_TRUE(env::write_file_atomic(folder_ / "head", head));  // killed before it was kept
  open();
  put_copy_back();
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(LogTest, WhileAnotherProgramReadsTheTextIsNotSaidToBeGone) {
  open();
  const auto record = log_->post(draft_of("a planted needle"));
  ASSERT_TRUE(record);
  const auto holds = [&] {
    for (const char* end : {"", "-wal"})
      if (env::read_file(folder_ / (std::string("ledger.db") + end), 1U << 26)
              ->contains("a planted needle"))
        return true;
    return false;
  };
  EXPECT_TRUE(holds());
  {
    const std::array<std::string_view, 2> none = {"", ""};  // as many as it has
    auto other = store::Database::open(folder_ / "ledger.db", none);
    ASSERT_TRUE(other) << other.error().message;
    auto rows = *other->prepare("SELECT place FROM bodies");
    ASSERT_TRUE(*rows.step());
    ASSERT_TRUE(log_->post(retraction_of(record->id)));
    const auto scrubbed = log_->scrub();
    ASSERT_FALSE(scrubbed);
    EXPECT_EQ(scrubbed.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(scrubbed.error().hint.find("again"), std::string::npos);
    EXPECT_TRUE(holds());
  }
  ASSERT_TRUE(log_->scrub());
  EXPECT_FALSE(holds());
}

TEST_F(LogTest, ADamagedFileOfTheLogIsNamed) {
  open();
  post(300);
  log_.reset();
  for (const char* name : {"checkpoint", "tile/0/001.p/44", "tile/entries/001.p/44"}) {
    const env::Path file = folder_ / "log" / name;
    const std::string content = *env::read_file(file, 1U << 20);
    std::string damaged = content;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    ASSERT_TRUE(env::write_file_atomic(file, damaged));
    const auto opened = try_open();
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(opened.error().message.find((folder_ / "log").string()), std::string::npos)
        << opened.error().message;
    ASSERT_TRUE(env::write_file_atomic(file, content));
  }
  open();
}

TEST_F(LogTest, KeysAreForTheOwnerAloneAndAreNeverReplaced) {
  open();
  log_.reset();
  for (const char* name : {"log.key", "author.key"})
    EXPECT_EQ(*env::permissions(folder_ / "keys" / name), 0600U);
  ASSERT_TRUE(env::set_permissions(folder_ / "keys" / "log.key", 0644));
  EXPECT_EQ(open_keys(folder_ / "keys").error().code, ErrorCode::kPermissionDenied);
  ASSERT_TRUE(env::set_permissions(folder_ / "keys" / "log.key", 0600));
  ASSERT_TRUE(env::remove_file(folder_ / "keys" / "author.key"));
  EXPECT_EQ(open_keys(folder_ / "keys").error().code, ErrorCode::kCorrupt);
}

TEST_F(LogTest, EveryChangedByteOfTheLogIsFoundAndNamed) {
  open();
  post(260);
  const crypto::VerifierKey key = log_->verifier_key();
  const RecordId retracted = log_->at(3)->value().record.id;
  ASSERT_TRUE(log_->post(retraction_of(retracted)));
  ASSERT_TRUE(log_->flush());
  log_.reset();
  const auto storage = open_sqlite_storage(folder_ / "ledger.db");
  const auto verify = [&] {
    return verify_log(folder_ / "log", key, kPublicNet, storage->get(),
                      [](std::uint64_t, std::uint64_t) { return true; });
  };
  const auto good = verify();
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_TRUE(good->faults.empty()) << good->faults.front();
  EXPECT_EQ(good->records, 261U);
  EXPECT_EQ(good->bodies, 259U);
  EXPECT_EQ(good->erased, 1U);
  for (const auto& found : std::filesystem::recursive_directory_iterator(folder_ / "log")) {
    if (!found.is_regular_file()) continue;
    const std::string content = *env::read_file(found.path(), 1U << 20);
    for (std::size_t part = 0; part < 5; ++part) {
      std::string changed = content;
      const std::size_t at = (content.size() - 1) * part / 4;
      changed[at] = static_cast<char>(changed[at] ^ 4);
      ASSERT_TRUE(env::write_file_atomic(found.path(), changed));
      const auto bad = verify();
      EXPECT_TRUE(!bad || !bad->faults.empty()) << found.path() << " byte " << at;
    }
    ASSERT_TRUE(env::write_file_atomic(found.path(), content));
  }
}

TEST_F(LogTest, ARecordThatNoLogAcceptsIsFoundThoughItIsSigned) {
  const crypto::SigningKey log_key = testing::key_of(3), ann = testing::key_of(1),
                           bob = testing::key_of(2);
  const crypto::PublicKey& log_public = log_key.public_key();
  const auto key = crypto::VerifierKey::of(log_origin(kPublicNet, log_public), log_public);
  const auto sealed = [&](Header header, const crypto::SigningKey& author) {
    header.log_key_hash = crypto::sha256(log_public);
    return *sign_record(header, author);
  };
  const Record data = sealed(testing::data_header(ann, 0, body_of("x")), ann);
  const Record theft =
      sealed(testing::reference_header(bob, 0, Kind::kRetraction, data.id,
                                       encode_retraction(RetractionReason::kAuthor)),
             bob);
  const Record gap = sealed(testing::data_header(ann, 2, body_of("y")), ann);
  const Record right = sealed(testing::data_header(ann, 1, body_of("z")), ann);
  auto tiles = TileWriter::open(folder_ / "log", key);
  ASSERT_TRUE(tiles->publish({data.bytes, theft.bytes, gap.bytes, right.bytes}, log_key));
  const auto verified = verify_log(folder_ / "log", key, kPublicNet, nullptr,
                                   [](std::uint64_t, std::uint64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  ASSERT_EQ(verified->faults.size(), 2U) << verified->faults.front();
  EXPECT_NE(verified->faults[0].find("record 1: "), std::string::npos);
  EXPECT_NE(verified->faults[0].find("somebody else wrote"), std::string::npos);
  EXPECT_NE(verified->faults[1].find("record 2: "), std::string::npos);
}

TEST_F(LogTest, AnExportIsTheLogWithTheBodiesThatMayBeServed) {
  open();
  post(3);
  const RecordId gone = log_->at(0)->value().record.id, kept = log_->at(1)->value().record.id,
                 blocked = log_->at(2)->value().record.id;
  const crypto::VerifierKey key = log_->verifier_key();
  const env::Path target = folder_ / "export";
  const auto storage = open_sqlite_storage(folder_ / "ledger.db");
  ASSERT_TRUE(export_log(log_->folder(), key, **storage, target));
  EXPECT_TRUE(env::is_plain_file(target / "body" / to_text(gone)));
  EXPECT_EQ(*env::permissions(target / "body"), 0755U);  // a web server is another user
  ASSERT_TRUE(log_->post(retraction_of(gone)));
  ASSERT_TRUE(log_->set_blocked(blocked, true));
  ASSERT_TRUE(log_->flush());
  ASSERT_TRUE(export_log(log_->folder(), key, **storage, target));
  EXPECT_FALSE(env::is_plain_file(target / "body" / to_text(gone)));
  EXPECT_FALSE(env::is_plain_file(target / "body" / to_text(blocked)));
  EXPECT_TRUE(env::is_plain_file(target / "body" / to_text(kept)));
  const auto verified = verify_log(target, key, kPublicNet, nullptr,
                                   [](std::uint64_t, std::uint64_t) { return true; });
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_TRUE(verified->faults.empty()) << verified->faults.front();
  EXPECT_EQ(*export_log(log_->folder(), key, **storage, target), 0U);  // nothing new
}

/// A database in which, once a body was read, its record is retracted.
class RetractedMeanwhile final : public Storage {
 public:
  RetractedMeanwhile(Storage& inner, std::function<void(const RecordId&)> retract)
      : inner_(inner), retract_(std::move(retract)) {}
  Result<std::optional<SaltedBody>> body(const RecordId& id) override {
    auto out = inner_.body(id);
    if (out && *out) retract_(id);
    return out;
  }
  Result<std::optional<StoredRecord>> at(std::uint64_t index) override { return inner_.at(index); }

  Result<std::optional<AuthorState>> author(const crypto::PublicKey& key) const override {
    return inner_.author(key);
  }
  Result<std::optional<RecordState>> record(const RecordId& id) const override {
    return inner_.record(id);
  }
  Result<> transaction(const std::function<Result<>()>& body) override {
    return inner_.transaction(body);
  }
  Result<std::uint64_t> append(const Record& record, const Delta& delta) override {
    return inner_.append(record, delta);
  }
  Result<> put_body(const RecordId& id, const SaltedBody& body) override {
    return inner_.put_body(id, body);
  }
  Result<> put_token(std::string_view token, const RecordId& id) override {
    return inner_.put_token(token, id);
  }
  Result<std::optional<RecordId>> find_token(std::string_view token) override {
    return inner_.find_token(token);
  }
  Result<> set_blocked(const RecordId& id, bool blocked) override {
    return inner_.set_blocked(id, blocked);
  }
  Result<> withdraw(const RecordId& id) override { return inner_.withdraw(id); }
  Result<> scrub() override { return inner_.scrub(); }
  Result<> check() override { return inner_.check(); }
  Result<std::uint64_t> size() override { return inner_.size(); }
  Result<std::vector<Bytes>> entries(std::uint64_t first, std::uint64_t count) override {
    return inner_.entries(first, count);
  }
  Result<std::optional<StoredRecord>> find(const RecordId& id) override { return inner_.find(id); }
  Result<std::vector<StoredRecord>> referring_to(const RecordId& id) override {
    return inner_.referring_to(id);
  }

 private:
  Storage& inner_;
  std::function<void(const RecordId&)> retract_;
};

TEST_F(LogTest, AnExportDoesNotKeepWhatIsRetractedWhileItRuns) {
  open();
  post(2);
  const RecordId kept = log_->at(1)->value().record.id;
  const auto storage = open_sqlite_storage(folder_ / "ledger.db");
  RetractedMeanwhile meanwhile(**storage, [&](const RecordId& id) {
    if (id == kept) return;
    EXPECT_TRUE(log_->post(retraction_of(id)));
  });
  const env::Path target = folder_ / "export";
  ASSERT_TRUE(export_log(log_->folder(), log_->verifier_key(), meanwhile, target));
  EXPECT_EQ(env::names_in(target / "body").value(), std::vector{to_text(kept)});
}

TEST(TilePath, HasOneSpelling) {
  EXPECT_EQ(tile_path(0, 0), "tile/0/000");
  EXPECT_EQ(tile_path(1, 1234067), "tile/1/x001/x234/067");
  EXPECT_EQ(tile_path(kEntries, 5, 12), "tile/entries/005.p/12");
  for (const std::string& path : {tile_path(0, 0), tile_path(1, 1234067),
                                  tile_path(kEntries, 5, 12), tile_path(7, UINT64_MAX >> 8, 255)}) {
    const auto name = parse_tile_path(path);
    ASSERT_TRUE(name) << path;
    EXPECT_EQ(tile_path(name->level, name->index, name->width), path);
  }
  for (const char* bad : {"", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000",
                          "tile/0/x000/000", "tile/8/000", "tile/-1/000", "tile/0/000.p/0",
                          "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/../000", "tile/00/000",
                          "tile/0/001/000", "tile/0/99999999999999999999999999999999"})
    EXPECT_FALSE(parse_tile_path(bad)) << bad;
}

TEST(Bundle, ReadsBackAndRefusesTheRest) {
  const std::vector<Bytes> entries = {{}, {1}, Bytes(65'535, 2)};
  EXPECT_EQ(*decode_bundle(encode_bundle(entries)), entries);
  EXPECT_FALSE(decode_bundle(Bytes{0}));
  EXPECT_FALSE(decode_bundle(Bytes{0, 1}));
  EXPECT_FALSE(decode_bundle(Bytes(2 * (kTileWidth + 1))));
}

}  // namespace
}  // namespace loam::ledger
