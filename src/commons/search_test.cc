// Words of two logs in one index: what is found, what must not be, and what is left of it.
#include "commons/search.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <thread>

#include "base/format.h"
#include "commons/testing/made_log.h"
#include "env/file.h"
#include "env/random.h"
#include "store/database.h"
#include "store/testing/planted_gap.h"

namespace loam::commons {
namespace {

using ledger::RecordId;
using testing::MadeLog;

class SearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    open();
  }
  void TearDown() override {
    search_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    search_.reset();
    search_ = Search::open(folder_ / "search.db");
    search_->attach(log_.searched());
  }
  SearchPage page(const SearchQuery& query) {
    auto found = search_->search(query);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *std::move(found) : SearchPage();
  }
  std::vector<RecordId> ids(const SearchQuery& query) {
    std::vector<RecordId> out;
    for (const SearchHit& hit : page(query).hits) out.push_back(hit.id);
    return out;
  }
  std::vector<RecordId> found(std::string words) { return ids({.words = std::move(words)}); }
  void index_all(const std::string& origin = "a log") {
    ASSERT_TRUE(search_->catch_up(origin)) << "catch up";
  }
  bool file_holds(std::string_view text) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_))
      if (file.is_regular_file() &&
          env::read_file(file.path(), 1U << 30)->find(text) != std::string::npos)
        return true;
    return false;
  }
  /// Words of the English dictionary do not hold them.
  static std::string needle(int number) {
    std::string out = "needle";
    for (const std::uint8_t byte : crypto::sha256(as_bytes(std::to_string(number))))
      out += static_cast<char>('a' + byte % 26);
    return out;
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-search-");
  MadeLog log_;
  std::unique_ptr<Search> search_;
};

using Ids = std::vector<RecordId>;

TEST_F(SearchTest, FindsWordsPhrasesAndBeginningsAndLeavesOutWhatIsUnwanted) {
  const RecordId blue = log_.data("Why is the sky blue in the morning?");
  const RecordId red = log_.data("Why is the evening sky so red?");
  const RecordId cafe = log_.data("Où est le Café Müller?", "fr");
  EXPECT_EQ(found("blue"), Ids{blue});
  EXPECT_EQ(found("BLUE sky"), Ids{blue});
  EXPECT_EQ(found("\"the sky\""), Ids{blue});
  EXPECT_EQ(found("sky -blue"), Ids{red});
  EXPECT_EQ(found("even*"), Ids{red});
  EXPECT_EQ(found("cafe muller"), Ids{cafe});
  EXPECT_EQ(found("sky").size(), 2U);
  EXPECT_EQ(found("sea"), Ids{});
  // Without words: all of them, newest first.
  EXPECT_EQ(found(""), (Ids{cafe, red, blue}));
}

TEST_F(SearchTest, AHitShowsWhereItIsAndWhatSurroundsIt) {
  log_.data("nothing here");
  const RecordId id = log_.data("a \x02 long\x03 way to the lighthouse and back");
  const SearchHit hit = page({.words = "lighthouse"}).hits.at(0);
  EXPECT_EQ(hit.id, id);
  EXPECT_EQ(hit.log, "a log");
  EXPECT_EQ(hit.index, 1U);
  EXPECT_EQ(hit.author, log_.author());
  EXPECT_EQ(hit.model, "tiny");
  EXPECT_EQ(hit.licence, "CC-BY-4.0");
  EXPECT_GT(hit.score, 0);
  EXPECT_EQ(hit.snippet,
            (std::vector<SnippetPiece>{
                {"a   long  way to the ", false}, {"lighthouse", true}, {" and back", false}}));
}

TEST_F(SearchTest, WhatLooksLikeSyntaxIsOnlyWords) {
  const RecordId id = log_.data("x OR y AND NOT near text:z {col} 'quoted' c++");
  for (const char* words : {"OR", "x OR y", "NOT", "AND NOT", "NEAR( text:z", "{col}", "'quoted'",
                            "c++", "x^ y)", "(x", "col : quoted", "\"x or\" \"y and\"", "—— x"})
    EXPECT_EQ(found(words), Ids{id}) << words;
  for (const char* words : {"\"x", "*", "-", "-x", "x -", "\"\""})
    EXPECT_EQ(search_->search({.words = words}).error().code, ErrorCode::kInvalidArgument) << words;
  EXPECT_EQ(search_->search({.words = std::string(1U << 20U, 'x')}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(SearchTest, FiltersNarrowWhatIsFound) {
  const RecordId english = log_.data("tea one", "en-GB", "big");
  const RecordId german = log_.data("tea two", "de");
  log_.set_author(9);
  const RecordId other = log_.data("tea three");
  ledger::Header edit = ledger::testing::data_header(ledger::testing::key_of(9), 0, {});
  edit.kind = ledger::Kind::kEdit;
  edit.refs = {german};
  const auto body = ledger::testing::body_of("tea four");
  edit.body_commitment = commitment(body);
  edit.body_bucket = ledger::size_bucket(body.body.size());
  const RecordId edited = log_.add(edit, body);

  EXPECT_EQ(ids({.words = "tea", .model = "big"}), Ids{english});
  EXPECT_EQ(ids({.words = "tea", .model = crypto::digest_hex(crypto::sha256(as_bytes("a model")))})
                .size(),
            4U);
  EXPECT_EQ(ids({.words = "tea", .model = "BIG' OR 1=1"}), Ids{});
  EXPECT_EQ(ids({.words = "tea", .language = "en"}).size(), 3U);
  EXPECT_EQ(ids({.words = "tea", .language = "en-GB"}), Ids{english});
  EXPECT_EQ(ids({.words = "tea", .language = "e"}), Ids{});
  EXPECT_EQ(ids({.author = log_.author()}), (Ids{edited, other}));
  EXPECT_EQ(ids({.words = "tea", .kind = ledger::Kind::kEdit}), Ids{edited});
  EXPECT_EQ(page({.kind = ledger::Kind::kEdit}).hits.at(0).edits, german);
  EXPECT_EQ(ids({.words = "tea", .log = "another"}), Ids{});
  EXPECT_EQ(ids({.words = "tea", .log = "a log"}).size(), 4U);
  const std::int64_t second_s = page({.language = "de"}).hits.at(0).time_s;
  EXPECT_EQ(ids({.until_s = second_s}), Ids{english});
  EXPECT_EQ(ids({.since_s = second_s, .until_s = second_s + 1}), Ids{german});
  EXPECT_EQ(ids({.since_s = second_s + 1}).size(), 2U);
}

TEST_F(SearchTest, TheNewestVoteOfEachAuthorCounts) {
  const RecordId one = log_.data("tea one");
  const RecordId two = log_.data("tea two");
  log_.vote(one, ledger::Vote::kDown);
  const RecordId newest = log_.vote(one, ledger::Vote::kUp);
  EXPECT_EQ(ids({.words = "tea", .rating = Rating::kUp}), Ids{one});
  EXPECT_EQ(ids({.words = "tea", .rating = Rating::kNone}), Ids{two});
  log_.set_author(9);
  log_.vote(one, ledger::Vote::kDown);
  EXPECT_EQ(ids({.words = "tea", .rating = Rating::kUp}), Ids{});
  log_.set_author(1);
  log_.retract(newest);  // the one before it counts again
  EXPECT_EQ(ids({.words = "tea", .rating = Rating::kDown}), Ids{one});
  EXPECT_EQ(page({.words = "one"}).hits.at(0).votes_down, 2);
  log_.vote(one, ledger::Vote::kNone);
  EXPECT_EQ(page({.words = "one"}).hits.at(0).votes_down, 1);
}

TEST_F(SearchTest, ManyVotesOnARecordAreCountedTogether) {
  const RecordId id = log_.data("tea");
  index_all();
  {
    const std::array<std::string_view, 1> none = {""};
    auto other = store::Database::open(folder_ / "search.db", none);
    ASSERT_TRUE(other) << other.error().message;
    ASSERT_TRUE(
        other->execute("CREATE TABLE counted (docs INTEGER); CREATE TRIGGER t AFTER UPDATE "
                       "OF up ON docs BEGIN INSERT INTO counted VALUES (1); END"));
  }
  for (int i = 0; i < 200; ++i) log_.vote(id, ledger::Vote::kUp);
  index_all();
  EXPECT_EQ(page({.words = "tea"}).hits.at(0).votes_up, 1);
  const std::array<std::string_view, 1> none = {""};
  auto other = store::Database::open(folder_ / "search.db", none);
  auto rows = *other->prepare("SELECT count(*) FROM counted");
  ASSERT_TRUE(*rows.step());
  EXPECT_LT(rows.integer(0), 10);  // one for each transaction
}

TEST_F(SearchTest, PagesTogetherAreTheWholeListInOneOrder) {
  for (int i = 0; i < 50; ++i) log_.data(format("tea {}", i % 5 == 0 ? "tea" : "cup"));
  const Ids whole = ids({.words = "tea", .hits_max = 100});
  ASSERT_EQ(whole.size(), 50U);
  Ids joined;
  for (bool more = true; more;) {
    const SearchPage part = page({.words = "tea", .hits_max = 7, .offset = joined.size()});
    for (const SearchHit& hit : part.hits) joined.push_back(hit.id);
    more = part.more;
    ASSERT_LE(joined.size(), 50U);
  }
  EXPECT_EQ(joined, whole);
}

TEST_F(SearchTest, WhatIsErasedIsInNoFile) {
  std::vector<RecordId> made;
  for (int i = 0; i < 200; ++i) {
    made.push_back(log_.data(format("{} and {} again", needle(i), needle(i + 1000))));
    if (i % 7 == 0) {  // so in many small pieces
      EXPECT_EQ(found(needle(i)).size(), 1U);
    }
  }
  index_all();
  for (int i = 0; i < 200; i += 9) {
    EXPECT_TRUE(file_holds(needle(i)));
    const RecordId& id = made[static_cast<std::size_t>(i)];
    log_.retract(id);
    ASSERT_TRUE(search_->erase(std::span(&id, 1)));
    for (int gone = 0; gone <= i; gone += 9) {
      ASSERT_FALSE(file_holds(needle(gone))) << gone << " after " << i;
      ASSERT_FALSE(file_holds(needle(gone + 1000))) << gone << " after " << i;
    }
  }
  index_all();
  EXPECT_EQ(found(needle(9)), Ids{});
  EXPECT_EQ(found(needle(10)).size(), 1U);
}

TEST_F(SearchTest, WhatACrashKeptFromBeingOverwrittenIsOverwrittenAfterTheNextStart) {
  log_.data("tea");
  index_all();
  search_.reset();
  ASSERT_TRUE(store::testing::plant_in_gap(folder_ / "search.db", needle(1)));
  EXPECT_TRUE(file_holds(needle(1)));
  open();
  for (int i = 0; i < 100'000 && file_holds(needle(1)); ++i)
    std::this_thread::yield();  // by its thread
  EXPECT_FALSE(file_holds(needle(1)));
  EXPECT_EQ(found("tea").size(), 1U);
}

TEST_F(SearchTest, WhatWasRetractedMeanwhileIsErasedBeforeAnAnswer) {
  const RecordId id = log_.data(needle(1));
  for (int i = 0; i < 400; ++i) log_.data("filler");
  index_all();
  search_.reset();
  for (int i = 0; i < 400; ++i) log_.data("filler");
  log_.retract(id);
  EXPECT_TRUE(file_holds(needle(1)));
  open();
  EXPECT_EQ(found(needle(1)), Ids{});
  EXPECT_FALSE(file_holds(needle(1)));
}

TEST_F(SearchTest, BlockedRecordsAreNotShown) {
  const RecordId id = log_.data("tea");
  EXPECT_EQ(found("tea"), Ids{id});
  ASSERT_TRUE(search_->set_blocked(id, true));
  EXPECT_EQ(found("tea"), Ids{});
  EXPECT_EQ(found(""), Ids{});
  ASSERT_TRUE(search_->set_blocked(id, false));
  EXPECT_EQ(found("tea"), Ids{id});
  // One that is not indexed yet, and an index that is made again.
  const RecordId next = log_.data("coffee");
  ASSERT_TRUE(search_->set_blocked(next, true));
  ASSERT_TRUE(log_.with([&](auto& storage) { return storage.set_blocked(next, true); }));
  EXPECT_EQ(found("coffee"), Ids{});
  search_.reset();
  std::filesystem::remove(folder_ / "search.db");
  open();
  EXPECT_EQ(found("coffee"), Ids{});
  EXPECT_EQ(found("tea"), Ids{id});
}

TEST_F(SearchTest, AMissingOrDamagedIndexIsBuiltAnew) {
  for (int i = 0; i < 300; ++i) log_.data(format("tea {}", needle(i)));
  index_all();
  const env::Path file = folder_ / "search.db";
  const auto damage = [&](const std::function<void(std::string&)>& change) {
    search_.reset();
    std::string content = env::read_file(file, 1U << 30).value();
    change(content);
    ASSERT_TRUE(env::write_file_atomic(file, content, 0600));
    open();
    // However far it is, it answers; at the end all is there.
    EXPECT_TRUE(search_->search({.words = "tea"}));
    index_all();
    EXPECT_TRUE(search_->search({.words = "tea"}));
    index_all();
    EXPECT_EQ(ids({.words = "tea", .hits_max = 400}).size(), 300U);
  };
  damage([](std::string& content) { content.clear(); });
  damage([](std::string& content) { content.assign(5000, 'x'); });
  damage([](std::string& content) { content.resize(content.size() / 2 / 4096 * 4096); });
  damage([](std::string& content) {
    for (std::size_t i = 8192; i < content.size(); i += 2) content[i] = '\xa5';
  });
}

TEST_F(SearchTest, AnIndexThatIsBuiltSaysHowFarItIs) {
  std::latch go(1);
  std::atomic<bool> held = true;
  MadeLog large(3, "another key");
  for (int i = 0; i < 600; ++i) large.data("tea");
  SearchedLog slow = large.searched("large");
  slow.at = [&, at = slow.at](std::uint64_t index) {
    if (held) go.wait();
    return at(index);
  };
  search_->attach(std::move(slow));
  const SearchPage begun = page({.words = "tea"});
  EXPECT_TRUE(begun.rebuilding);
  EXPECT_EQ(begun.done, 0U);
  EXPECT_EQ(begun.of, 600U);
  held = false;
  go.count_down();
  index_all("large");
  const SearchPage done = page({.words = "tea"});
  EXPECT_FALSE(done.rebuilding);
  EXPECT_EQ(done.hits.size(), 20U);
  EXPECT_TRUE(done.more);
  search_.reset();  // its thread may still ask the log for its size
}

TEST_F(SearchTest, AnAuthorsRetractionInOneLogHoldsInAnother) {
  MadeLog second(1, "another key");
  const RecordId id = log_.data("tea one");
  const RecordId others = second.data("tea " + needle(2));
  search_->attach(second.searched("second"));
  EXPECT_EQ(found("tea").size(), 2U);
  second.retract(id);
  EXPECT_EQ(found("tea"), Ids{others});
  log_.set_author(9);  // a stranger's
  log_.retract(others);
  EXPECT_EQ(found("tea"), Ids{others});
  ASSERT_TRUE(search_->detach("second"));
  EXPECT_EQ(found("tea"), Ids{});
  EXPECT_FALSE(file_holds(needle(2)));
  search_.reset();  // its thread may still look at the second log
}

TEST_F(SearchTest, ALogThatIsNotAttachedAnyMoreCanBeForgotten) {
  MadeLog second(1, "another key");
  second.data(needle(3));
  log_.data("tea");
  search_->attach(second.searched("second"));
  EXPECT_EQ(found(needle(3)).size(), 1U);
  open();
  ASSERT_TRUE(search_->forget_others());
  EXPECT_EQ(found(needle(3)), Ids{});
  EXPECT_FALSE(file_holds(needle(3)));
  EXPECT_EQ(found("tea").size(), 1U);
}

TEST_F(SearchTest, ABodyThatComesLateIsFoundThen) {
  const auto body = ledger::testing::body_of("tea");
  const RecordId id = log_.add(ledger::testing::data_header(ledger::testing::key_of(1), 0, body));
  EXPECT_EQ(found("tea"), Ids{});
  ASSERT_TRUE(log_.with([&](auto& storage) { return storage.put_body(id, body); }));
  ASSERT_TRUE(search_->index_again("a log", 0));
  EXPECT_EQ(found("tea"), Ids{id});
  ASSERT_TRUE(search_->index_again("a log", 0));
  EXPECT_EQ(found("tea"), Ids{id});
}

}  // namespace
}  // namespace loam::commons
