// Following a log that is honest, slow, forked, shrunk, signed by another, or gone.
#include "commons/follow.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/check.h"
#include "base/format.h"
#include "commons/copy_source.h"
#include "commons/follow_retractions.h"
#include "env/file.h"
#include "env/random.h"
#include "ledger/testing/make_record.h"
#include "ledger/tiles.h"
#include "store/database.h"

namespace loam::commons {
namespace {

using ledger::RecordId;
using ledger::testing::key_of;

/// A log on the disk with its bodies in memory.
class Published {
 public:
  Published(env::Path folder, std::uint8_t log_key = 1, std::uint8_t author = 2)
      : folder_(std::move(folder)), key_(key_of(log_key)), author_(key_of(author)) {
    LOAM_CHECK(env::make_folder(folder_).has_value());
    tiles_.emplace(*ledger::TileWriter::open(folder_, verifier()));
  }
  crypto::VerifierKey verifier() const {
    return crypto::VerifierKey::of(ledger::log_origin(ledger::kPublicNet, key_.public_key()),
                                   key_.public_key());
  }
  RecordId data(std::string_view text) {
    const auto body = ledger::testing::body_of(text);
    const RecordId id = add(ledger::testing::data_header(author_, 0, body));
    bodies_[id] = body;
    return id;
  }
  RecordId retract(const RecordId& id) {
    bodies_.erase(id);
    return add(ledger::testing::reference_header(
        author_, 0, ledger::Kind::kRetraction, id,
        ledger::encode_retraction(ledger::RetractionReason::kAuthor)));
  }
  RecordId add(ledger::Header header) {
    header.seq = seq_++;
    header.log_key_hash = crypto::sha256(key_.public_key());
    const auto record = ledger::sign_record(header, author_).value();
    waiting_.push_back(record.bytes);
    return record.id;
  }
  void skip_seq() { ++seq_; }
  void publish() {
    LOAM_CHECK(tiles_->publish(waiting_, key_).has_value());
    waiting_.clear();
  }

  env::Path folder_;
  std::map<RecordId, ledger::SaltedBody> bodies_;

 private:
  crypto::SigningKey key_, author_;
  std::optional<ledger::TileWriter> tiles_;
  std::vector<Bytes> waiting_;
  std::uint64_t seq_ = 0;
};

/// What is served; a test changes it between polls.
struct Server {
  Published* log = nullptr;
  std::map<std::string, Result<std::string>> instead = {};  // of files, by path
  std::optional<Error> body_error = {};
  std::set<RecordId> missing = {};  // whose bodies are an error of the server
  std::size_t requests = 0;
};

class ServedLog final : public ledger::LogSource {
 public:
  explicit ServedLog(Server& server) : server_(server) {}
  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    ++server_.requests;
    if (const auto found = server_.instead.find(std::string(path)); found != server_.instead.end())
      return found->second;
    return env::read_file(server_.log->folder_ / path, bytes_max);
  }
  Result<ledger::SaltedBody> body(const RecordId& id) override {
    ++server_.requests;
    if (server_.body_error) return std::unexpected(*server_.body_error);
    if (server_.missing.contains(id)) return fail(ErrorCode::kUnavailable, "an error");
    const auto found = server_.log->bodies_.find(id);
    if (found == server_.log->bodies_.end()) return fail(ErrorCode::kNotFound, "gone");
    return found->second;
  }
  std::string name() const override { return "test"; }

 private:
  Server& server_;
};

/// Before the time at which the thread that polls has anything to do.
class EarlyClock final : public env::Clock {
 public:
  std::int64_t wall_ms() override { return 1'700'000'000'000; }
  std::int64_t steady_ms() override { return -1'000'000; }
};

class FollowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_ / "home"));
    search_ = Search::open(folder_ / "home" / "search.db");
    open();
    server_.log = &log_;
  }
  void TearDown() override {
    following_.reset();
    search_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open(FollowOptions options = {}) {
    following_.reset();
    following_ = std::move(*Following::open(
        folder_ / "home", *search_, clock_, std::move(options),
        [this](const std::string& url,
               const std::function<bool()>&) -> Result<std::unique_ptr<ledger::LogSource>> {
          if (url != "test") return fail(ErrorCode::kInvalidArgument, "no such URL");
          if (std::this_thread::get_id() != test_)
            return fail(ErrorCode::kUnavailable, "only the test polls");
          return std::make_unique<ServedLog>(server_);
        }));
  }
  std::string add() {
    const auto added = following_->add("test", log_.verifier().text());
    EXPECT_TRUE(added) << added.error().message;
    return added->id;
  }
  FollowedLog poll(const std::string& id) {
    auto polled = following_->poll(id);
    EXPECT_TRUE(polled) << polled.error().message;
    return polled ? *polled : FollowedLog();
  }
  std::size_t found(std::string words) {
    const auto page = search_->search({.words = std::move(words)});
    EXPECT_TRUE(page) << page.error().message;
    return page ? page->hits.size() : 0;
  }
  bool home_holds(std::string_view text) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_ / "home"))
      if (file.is_regular_file() &&
          env::read_file(file.path(), 1U << 30)->find(text) != std::string::npos)
        return true;
    return false;
  }
  std::string checkpoint(const Published& log) {
    return env::read_file(log.folder_ / "checkpoint", 1U << 20).value();
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-follow-");
  EarlyClock clock_;
  std::thread::id test_ = std::this_thread::get_id();
  Published log_{folder_ / "a"};
  Server server_;
  std::unique_ptr<Search> search_;
  std::unique_ptr<Following> following_;
};

TEST_F(FollowTest, TakesWhatIsNewWithItsBodiesAndFindsTheirWords) {
  for (int i = 0; i < 600; ++i) log_.data(format("tea number{}", i));
  log_.publish();
  const std::string id = add();
  FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kFollowed) << now.trouble;
  EXPECT_EQ(now.records, 600U);
  EXPECT_EQ(now.behind, 0U);
  EXPECT_EQ(found("number599"), 1U);
  server_.requests = 0;
  poll(id);
  EXPECT_EQ(server_.requests, 1U);  // nothing new: the checkpoint alone
  log_.data("coffee");
  log_.publish();
  open();  // a restart forgets nothing
  now = poll(id);
  EXPECT_EQ(now.records, 601U);
  EXPECT_EQ(search_->search({.words = "coffee"})->hits.at(0).log, log_.verifier().name);
  ASSERT_TRUE(following_->remove(id));
  EXPECT_EQ(found("tea"), 0U);
  EXPECT_FALSE(home_holds("number599"));
  EXPECT_EQ(following_->list()->size(), 0U);
}

TEST_F(FollowTest, ItsCopyIsReadAsTheLogItself) {
  EXPECT_EQ(open_log_copy(folder_ / "home", log_.verifier()).error().code, ErrorCode::kNotFound);
  for (int i = 0; i < 300; ++i) log_.data(format("tea number{}", i));
  log_.publish();
  poll(add());
  const auto copy = open_log_copy(folder_ / "home", log_.verifier()).value();
  const auto whole = ledger::open_log_folder(log_.folder_);
  EXPECT_EQ(ledger::read_checkpoint(*copy, log_.verifier()).value().note, checkpoint(log_));
  EXPECT_EQ(ledger::read_bundle(*copy, 0, 256).value(),
            ledger::read_bundle(*whole, 0, 256).value());
  EXPECT_EQ(ledger::read_bundle(*copy, 1, 44).value(), ledger::read_bundle(*whole, 1, 44).value());
  EXPECT_EQ(ledger::read_bundle(*copy, 1, 45).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(copy->read("tile/0/000", 1U << 20).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(copy->read("../follow.db", 1U << 20).error().code, ErrorCode::kNotFound);
  const auto& [id, body] = *log_.bodies_.begin();
  EXPECT_EQ(copy->body(id).value().body, body.body);
  const auto found = following_->find(id).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->log, log_.verifier().name);
  EXPECT_EQ(found->body->body, body.body);
  EXPECT_FALSE(following_->find(RecordId{}).value());
  EXPECT_EQ(copy->body(RecordId{}).error().code, ErrorCode::kNotFound);
  const auto record = find_in_copy(folder_ / "home", log_.verifier(), id).value();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->record.id, id);
  EXPECT_FALSE(find_in_copy(folder_ / "home", log_.verifier(), RecordId{}).value().has_value());
  EXPECT_FALSE(find_in_copy(folder_ / "none", log_.verifier(), id).value().has_value());
}

TEST_F(FollowTest, DeletesWhatWasRetractedInThePollThatSeesIt) {
  const RecordId id = log_.data("a planted-needle-five");
  log_.data("tea");
  log_.publish();
  const std::string log = add();
  poll(log);
  EXPECT_TRUE(home_holds("planted-needle-five"));
  EXPECT_EQ(found("planted"), 1U);
  log_.retract(id);
  log_.publish();
  server_.body_error = Error{ErrorCode::kUnavailable, "no bodies now"};
  poll(log);
  EXPECT_FALSE(home_holds("planted-needle-five"));
  EXPECT_EQ(found("planted"), 0U);
  EXPECT_EQ(found("tea"), 1U);
}

TEST_F(FollowTest, ARetractionOfAStrangersRecordTakesNothingAway) {
  Published other(folder_ / "b", 7, 8);
  const RecordId theirs = other.data("tea of others");
  other.publish();
  log_.data("tea");
  log_.publish();
  const std::string first = add();
  poll(first);
  server_.log = &other;
  const auto second = following_->add("test", other.verifier().text());
  ASSERT_TRUE(second);
  poll(second->id);
  EXPECT_EQ(found("tea"), 2U);
  log_.retract(theirs);
  log_.publish();
  server_.log = &log_;
  EXPECT_EQ(poll(first).state, FollowState::kFollowed);
  EXPECT_EQ(found("tea"), 2U);
}

/// log_ and another one, both followed, and both polled in turn.
class TwoLogsTest : public FollowTest {
 protected:
  std::string follow(Published& log) {
    server_.log = &log;
    const auto added = following_->add("test", log.verifier().text());
    EXPECT_TRUE(added) << added.error().message;
    return added->id;
  }
  void poll(Published& log, const std::string& id) {
    log.publish();
    server_.log = &log;
    EXPECT_EQ(FollowTest::poll(id).state, FollowState::kFollowed);
  }
  void name_recovery_key() {
    ledger::Header header;
    header.kind = ledger::Kind::kKey;
    header.author = key_of(2).public_key();
    header.payload = ledger::encode_key_change({.recovery = recovery_.public_key()});
    log_.add(header);
  }

  crypto::SigningKey recovery_ = key_of(8);
  Published other_{folder_ / "b", 7, 8};  // its author has that key
};

TEST_F(TwoLogsTest, ARecoveryKeyRetractsFromAnotherLog) {
  const RecordId early = log_.data("a planted-needle-eight"), late = log_.data("tea");
  name_recovery_key();
  const std::string first = follow(log_);
  poll(log_, first);
  EXPECT_TRUE(home_holds("planted-needle-eight"));
  const std::string second = follow(other_);
  other_.retract(early);
  poll(other_, second);
  EXPECT_FALSE(home_holds("planted-needle-eight"));
  EXPECT_EQ(found("planted"), 0U);
  EXPECT_EQ(found("tea"), 1U);
  // Here first, and the record after it; a restart in between.
  EXPECT_EQ(following_->spoken_for(late, recovery_.public_key()).value(), std::vector{late});
  ASSERT_TRUE(following_->remove(first));
  other_.retract(late);
  poll(other_, second);
  open();
  poll(log_, follow(log_));
  EXPECT_EQ(found("tea"), 0U);
  EXPECT_FALSE(home_holds("planted-needle-eight"));
}

TEST_F(TwoLogsTest, WhatCouldNotBeTakenOutOfTheIndexIsTakenOutLater) {
  const RecordId id = log_.data("tea");
  name_recovery_key();
  const std::string first = follow(log_), second = follow(other_);
  poll(log_, first);
  other_.retract(id);
  poll(other_, second);
  following_.reset();
  const std::vector copies = {
      std::shared_ptr(FollowCopy::open(folder_ / "home/followed" / first).value())};
  const auto grown = FollowCopy::open(folder_ / "home/followed" / second).value();
  ASSERT_TRUE(grown->set_compared(0));  // as before that poll
  Result<> answer = fail(ErrorCode::kUnavailable, "the index is busy");
  std::vector<RecordId> erased;
  const PollEvents events{.on_erased =
                              [&](std::span<const RecordId> ids) {
                                erased.assign(ids.begin(), ids.end());
                                return answer;
                              },
                          .on_late_body = {},
                          .should_stop = [] { return false; }};
  EXPECT_EQ(obey_retractions(*grown, copies, {}, events).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(grown->compared().value(), 0U);
  erased.clear();
  answer = {};
  ASSERT_TRUE(obey_retractions(*grown, copies, {}, events));
  EXPECT_EQ(erased, std::vector{id});
  EXPECT_EQ(grown->compared().value(), 1U);
}

TEST_F(TwoLogsTest, AKeyThatIsNamedAfterItsRetractionsSpeaksThen) {
  const RecordId id = log_.data("tea");
  const std::string first = follow(log_);
  poll(log_, first);
  other_.retract(id);
  poll(other_, follow(other_));
  EXPECT_EQ(found("tea"), 1U);
  EXPECT_EQ(following_->spoken_for(id, recovery_.public_key()).error().code,
            ErrorCode::kPermissionDenied);
  name_recovery_key();
  poll(log_, first);
  EXPECT_EQ(found("tea"), 0U);
}

TEST_F(TwoLogsTest, ASuccessionThatAnotherLogMadeUpTakesNothingAway) {
  const RecordId id = log_.data("tea");
  const std::string first = follow(log_), second = follow(other_);
  poll(log_, first);
  ledger::Header header;
  header.kind = ledger::Kind::kKey;
  header.author = recovery_.public_key();
  header.payload = ledger::encode_key_change({.recovery = key_of(9).public_key()});
  other_.add(header);
  header.payload = ledger::encode_key_change({.successor = key_of(2).public_key()});
  other_.add(header);
  other_.retract(id);
  poll(other_, second);
  EXPECT_EQ(found("tea"), 1U);
}

TEST_F(FollowTest, WhatTheOwnLogRetractsGoesWhenItComes) {
  const RecordId id = log_.data("tea");
  log_.data("coffee");
  log_.publish();
  open({.own_retractors = [&](const RecordId& record) -> Result<std::vector<crypto::PublicKey>> {
    if (record != id) return std::vector<crypto::PublicKey>();
    return std::vector{key_of(2).public_key()};
  }});
  poll(add());
  EXPECT_EQ(found("tea"), 0U);
  EXPECT_EQ(found("coffee"), 1U);
}

TEST_F(FollowTest, AForkIsRefusedAndBothCheckpointsAreKept) {
  for (int i = 0; i < 5; ++i) log_.data(format("tea {}", i));
  log_.publish();
  const std::string id = add();
  poll(id);
  Published fork(folder_ / "b");
  for (int i = 0; i < 9; ++i) fork.data(format("coffee {}", i));
  fork.publish();
  server_.log = &fork;
  const FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kRefused);
  EXPECT_NE(now.trouble.find("forked"), std::string::npos);
  EXPECT_EQ(now.records, 5U);
  EXPECT_EQ(found("tea"), 5U);
  EXPECT_EQ(found("coffee"), 0U);
  const env::Path evidence = now.evidence;
  EXPECT_EQ(env::read_file(evidence / "kept", 1U << 20).value(), checkpoint(log_));
  EXPECT_EQ(env::read_file(evidence / "came", 1U << 20).value(), checkpoint(fork));
  EXPECT_NE(env::read_file(evidence / "why", 1U << 20)->find(log_.verifier().text()),
            std::string::npos);
  // The log that was followed goes on; what was proven stays.
  log_.data("milk");
  log_.publish();
  server_.log = &log_;
  const FollowedLog later = poll(id);
  EXPECT_EQ(later.state, FollowState::kFollowed);
  EXPECT_EQ(later.evidence, now.evidence);
  EXPECT_EQ(found("milk"), 1U);
}

TEST_F(FollowTest, AForkOfTheSameSizeIsAFork) {
  log_.data("tea");
  log_.publish();
  const std::string id = add();
  poll(id);
  Published fork(folder_ / "b");
  fork.data("coffee");
  fork.publish();
  server_.log = &fork;
  EXPECT_NE(poll(id).trouble.find("forked"), std::string::npos);
}

TEST_F(FollowTest, AShrunkLogAndOneOfAnotherKeyAreRefused) {
  log_.data("tea one");
  log_.publish();
  const std::string small = checkpoint(log_);
  log_.data("tea two");
  log_.publish();
  const std::string id = add();
  poll(id);
  server_.instead.emplace("checkpoint", small);
  FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kRefused);
  EXPECT_NE(now.trouble.find("shrank"), std::string::npos);
  EXPECT_EQ(env::read_file(env::Path(now.evidence) / "came", 1U << 20).value(), small);
  Published stranger(folder_ / "b", 9);
  stranger.data("tea");
  stranger.publish();
  server_.instead.clear();
  server_.instead.emplace("checkpoint", checkpoint(stranger));
  now = poll(id);
  EXPECT_EQ(now.state, FollowState::kRefused);
  EXPECT_NE(now.trouble.find("not signed"), std::string::npos);
  EXPECT_EQ(env::read_file(env::Path(now.evidence) / "came", 1U << 20).value(),
            checkpoint(stranger));
  EXPECT_EQ(now.records, 2U);
  EXPECT_EQ(found("tea"), 2U);
}

TEST_F(FollowTest, WhatIsNoCheckpointIsTroubleAndProvesNothing) {
  log_.data("tea");
  log_.publish();
  const std::string id = add();
  poll(id);
  for (const char* served : {"<html>Sign in to go on</html>", "", "a\n1\nx\n\n— a AAAA\n"}) {
    server_.instead.insert_or_assign("checkpoint", served);
    const FollowedLog now = poll(id);
    EXPECT_EQ(now.state, FollowState::kTrouble) << served;
    EXPECT_EQ(now.evidence, "") << served;
  }
  EXPECT_FALSE(env::stamp(folder_ / "home" / "evidence"));
}

TEST_F(FollowTest, OfOtherKeysOneCheckpointEachIsKeptAndNotTooMany) {
  log_.data("tea");
  log_.publish();
  const std::string id = add();
  poll(id);
  const auto serve = [&](std::uint8_t key, int number) {
    const crypto::Checkpoint made{.origin = log_.verifier().name,
                                  .extensions = {std::to_string(number)}};
    server_.instead.insert_or_assign(
        "checkpoint", crypto::sign_note(made.text(), log_.verifier().name, key_of(key)));
    return poll(id);
  };
  const auto kept = [&] { return env::names_in(folder_ / "home" / "evidence")->size(); };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(serve(20, i).state, FollowState::kRefused);
  EXPECT_EQ(kept(), 1U);
  for (std::uint8_t key = 21; key < 50; ++key) serve(key, 1);
  EXPECT_EQ(kept(), 16U);
  // What the log's own key signed is kept all the same, and that not without end.
  for (int i = 0; i < 90; ++i) EXPECT_EQ(serve(1, i).state, FollowState::kRefused);
  EXPECT_EQ(kept(), 64U);
}

TEST_F(FollowTest, FilesThatDoNotFitTheCheckpointAreTroubleAndNotTaken) {
  for (int i = 0; i < 300; ++i) log_.data("tea");
  log_.publish();
  const std::string id = add();
  std::string bundle = env::read_file(log_.folder_ / "tile/entries/000", 1U << 25).value();
  bundle[100] = static_cast<char>(bundle[100] ^ 1);
  server_.instead.emplace("tile/entries/000", bundle);
  FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kTrouble);
  EXPECT_EQ(now.records, 0U);
  EXPECT_EQ(now.behind, 300U);
  server_.instead.clear();
  EXPECT_EQ(poll(id).state, FollowState::kFollowed);
  // The same with tiles, and with one that is not there, while the log goes on.
  log_.data("tea");
  log_.publish();
  std::string tile = env::read_file(log_.folder_ / "tile/0/000", 1U << 25).value();
  tile[7] = static_cast<char>(tile[7] ^ 1);
  server_.instead.emplace("tile/0/000", tile);
  server_.instead.emplace("tile/1/000.p/1", std::string(32, 'x'));
  EXPECT_EQ(poll(id).state, FollowState::kTrouble);
  server_.instead.clear();
  server_.instead.emplace("tile/0/001.p/45", fail(ErrorCode::kNotFound, "not there"));
  now = poll(id);
  EXPECT_EQ(now.state, FollowState::kTrouble);
  EXPECT_EQ(now.evidence, "");
  server_.instead.clear();
  now = poll(id);
  EXPECT_EQ(now.state, FollowState::kFollowed);
  EXPECT_EQ(now.records, 301U);
}

TEST_F(FollowTest, ARecordThatNoLogMayHoldIsRefused) {
  log_.data("tea");
  log_.publish();
  const std::string id = add();
  poll(id);
  log_.skip_seq();
  log_.data("coffee");
  log_.publish();
  const FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kRefused);
  EXPECT_NE(now.trouble.find("record 1"), std::string::npos);
  EXPECT_EQ(now.records, 1U);
}

TEST_F(FollowTest, BodiesThatCouldNotBeHadComeLate) {
  log_.data("tea one");
  log_.data("tea two");
  const RecordId wrong = log_.data("tea three");
  log_.bodies_[wrong].body.push_back(0);  // not what the record says
  log_.publish();
  const std::string id = add();
  server_.body_error = Error{ErrorCode::kUnavailable, "busy"};
  EXPECT_EQ(poll(id).state, FollowState::kTrouble);  // all of them: the server is gone
  EXPECT_EQ(found("tea"), 0U);
  server_.body_error.reset();
  EXPECT_EQ(poll(id).state, FollowState::kFollowed);
  EXPECT_EQ(found("tea"), 2U);
  // One of many: the others are taken, and it comes with the next poll.
  const RecordId missed = log_.data("coffee");
  log_.data("milk");
  log_.publish();
  server_.missing = {missed};
  EXPECT_EQ(poll(id).state, FollowState::kFollowed);
  EXPECT_EQ(found("milk"), 1U);
  EXPECT_EQ(found("coffee"), 0U);
  server_.missing.clear();
  poll(id);
  EXPECT_EQ(found("coffee"), 1U);
}

TEST_F(FollowTest, BodiesThatNeverComeKeepNoRetractionBack) {
  const RecordId gone = log_.data("a planted-needle-six");
  log_.publish();
  const std::string id = add();
  poll(id);
  for (int i = 0; i < 4; ++i) server_.missing.insert(log_.data(format("tea {}", i)));
  log_.data("coffee");
  log_.publish();
  EXPECT_EQ(poll(id).state, FollowState::kTrouble);
  log_.retract(gone);
  log_.publish();
  const FollowedLog now = poll(id);
  EXPECT_EQ(now.behind, 0U);
  EXPECT_FALSE(home_holds("planted-needle-six"));
  EXPECT_EQ(found("coffee"), 1U);
  server_.missing.clear();
  EXPECT_EQ(poll(id).state, FollowState::kFollowed);
  EXPECT_EQ(found("tea"), 4U);
}

TEST_F(FollowTest, TextThatAnotherProgramKeepsInTheFileGoesWithALaterPoll) {
  const RecordId gone = log_.data("a planted-needle-seven");
  log_.publish();
  const std::string id = add();
  poll(id);
  log_.retract(gone);
  log_.data("tea");
  log_.publish();
  {
    const std::array<std::string_view, 2> none = {"", ""};  // as many as it has
    auto other = store::Database::open(folder_ / "home/followed" / id / "records.db", none);
    ASSERT_TRUE(other) << other.error().message;
    auto rows = *other->prepare("SELECT place FROM bodies");
    ASSERT_TRUE(*rows.step());
    EXPECT_EQ(poll(id).state, FollowState::kTrouble);
    EXPECT_TRUE(home_holds("planted-needle-seven"));
  }
  const FollowedLog now = poll(id);
  EXPECT_EQ(now.state, FollowState::kFollowed) << now.trouble;
  EXPECT_EQ(now.records, 3U);
  EXPECT_FALSE(home_holds("planted-needle-seven"));
  EXPECT_EQ(found("tea"), 1U);
}

TEST_F(FollowTest, OnePollTakesNoMoreThanItMay) {
  for (int i = 0; i < 5000; ++i) {
    ledger::Header header;
    header.kind = ledger::Kind::kNode;
    header.author = key_of(2).public_key();
    header.payload = {0xa0};
    log_.add(header);
  }
  log_.publish();
  open({.records_max = 1000});
  const std::string id = add();
  const FollowedLog now = poll(id);
  EXPECT_EQ(now.records, 2048U);  // whole bundles at once
  EXPECT_EQ(now.behind, 5000U - 2048U);
  poll(id);
  EXPECT_EQ(poll(id).records, 5000U);
}

TEST_F(FollowTest, WhatCannotBeFollowedIsSaid) {
  const std::string key = log_.verifier().text();
  EXPECT_EQ(following_->add("test", "no key").error().code, ErrorCode::kInvalidArgument);
  const auto other = crypto::VerifierKey::of("example.org/log", key_of(3).public_key());
  EXPECT_EQ(following_->add("test", other.text()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(following_->add("ftp://x", key).error().code, ErrorCode::kInvalidArgument);
  add();
  EXPECT_EQ(following_->add("test", key).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(following_->remove("none").error().code, ErrorCode::kNotFound);
  open({.own_origin = log_.verifier().name});
  EXPECT_EQ(following_->add("test", key).error().code, ErrorCode::kInvalidArgument);
  open({.offline = true});
  EXPECT_EQ(following_->poll(following_->list()->at(0).id).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace loam::commons
