// Any one byte changed in a tile, record, body, salt, index or checkpoint is found and named.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "base/parse.h"
#include "env/file.h"
#include "env/folders.h"
#include "env/random.h"
#include "ledger/log.h"
#include "ledger/testing/make_record.h"
#include "ledger/verify.h"

namespace loam::ledger {
namespace {

using testing::body_of;
using testing::key_of;

/// One byte in so many is changed; ./check --deep sets 1.
std::size_t stride() {
  return static_cast<std::size_t>(std::max<std::int64_t>(
      1, parse_int(env::variable("LOAM_DAMAGE_STRIDE").value_or("")).value_or(37)));
}

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    write_story();
    original_ = dump(*open_sqlite_storage(database_).value()).value();
    files_ = folder_ / "log";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write_story() {
    env::ManualClock clock;
    auto log = Log::open({.folder = folder_ / "log", .head_file = folder_ / "head"},
                         {key_of(1), key_of(2)}, open_sqlite_storage(database_).value(), clock);
    ASSERT_TRUE(log) << log.error().message;
    std::vector<RecordId> ids;
    const auto post = [&](Draft draft) {
      ids.push_back((*log)->post(std::move(draft)).value().id);
    };
    for (int i = 0; i < 4; ++i) {
      Draft draft;
      draft.licence = "CC-BY-4.0";
      draft.scope = {.train = true};
      draft.body = body_of(format("text {}", i));
      post(std::move(draft));
    }
    ASSERT_TRUE((*log)->flush());
    Draft vote;
    vote.kind = Kind::kVote;
    vote.refs = {ids[1]};
    vote.payload = encode_vote(Vote::kUp);
    post(std::move(vote));
    Draft retraction;
    retraction.kind = Kind::kRetraction;
    retraction.refs = {ids[2]};
    retraction.payload = encode_retraction(RetractionReason::kAuthor);
    post(std::move(retraction));
    key_ = (*log)->verifier_key();
    author_ = (*log)->author();
  }

  /// All that the database says of the log.
  Result<std::string> dump(Storage& storage) {
    std::string out;
    const std::uint64_t size = LOAM_TRY(storage.size());
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto stored = LOAM_TRY(storage.at(i));
      if (!stored) return fail(ErrorCode::kCorrupt, "a gap");
      const RecordId& id = stored->record.id;
      const auto found = LOAM_TRY(storage.find(id));
      const auto body = LOAM_TRY(storage.body(id));
      out += format("{} {} {} {}\n", i, to_hex(stored->record.bytes), stored->retracted,
                    found ? found->index : size);
      if (body) out += to_hex(body->salt) + to_hex(body->body);
      for (const StoredRecord& other : LOAM_TRY(storage.referring_to(id)))
        out += format(" {}", other.index);
    }
    const auto author = LOAM_TRY(storage.author(author_));
    if (!author) return out;
    return out + format("{} {} {} {}", author->next_seq, author->ended,
                        author->recovery.has_value(), author->predecessor.has_value());
  }

  /// What is wrong, in one text; empty: nothing.
  std::string verified(Storage* storage) {
    const auto found =
        verify_log(files_, key_, kPublicNet, storage, [](auto, auto) { return true; });
    if (!found) return found.error().message;
    std::string out;
    for (const std::string& fault : found->faults) out += fault + "\n";
    return out;
  }

  static void put(const env::Path& file, std::string_view content) {
    std::ofstream(file, std::ios::binary).write(content.data(), std::ssize(content));
  }
  static std::string changed(std::string content, std::size_t at) {
    content[at] = static_cast<char>(static_cast<unsigned char>(content[at]) ^ (1U << (at % 8)));
    return content;
  }

  const env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-damage-");
  const env::Path database_ = folder_ / "ledger.db";
  env::Path files_;
  crypto::VerifierKey key_;
  crypto::PublicKey author_{};
  std::string original_;
};

TEST_F(Damage, EveryByteOfTheLogsFilesCounts) {
  const auto storage = open_sqlite_storage(database_).value();
  ASSERT_EQ(verified(storage.get()), "");
  std::size_t files = 0, at = 0;
  for (const auto& found : std::filesystem::recursive_directory_iterator(files_)) {
    if (!found.is_regular_file()) continue;
    ++files;
    const std::string content = *env::read_file(found.path(), 1U << 20);
    for (at %= stride(); at < content.size(); at += stride()) {
      put(found.path(), changed(content, at));
      const std::string faults = verified(nullptr);
      EXPECT_TRUE(faults.contains(found.path().string()) || faults.contains("record "))
          << found.path() << " byte " << at << ": " << faults;
    }
    at -= content.size();
    put(found.path(), content);
  }
  EXPECT_GE(files, 5U);  // a checkpoint, two tiles and two bundles
  EXPECT_EQ(verified(storage.get()), "");
}

TEST_F(Damage, EveryByteOfTheDatabaseThatSaysSomethingCounts) {
  const std::string content = *env::read_file(database_, 1U << 20);
  const env::Path copy = folder_ / "copy.db";
  std::size_t changes = 0;
  for (std::size_t at = 0; at < content.size(); at += stride()) {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(copy.string() + end);
    put(copy, changed(content, at));
    const auto storage = open_sqlite_storage(copy);
    if (!storage) {
      EXPECT_TRUE(storage.error().message.contains(copy.string())) << storage.error().message;
      ++changes;
      continue;
    }
    if (const auto now = dump(**storage); now && *now == original_) continue;
    ++changes;
    EXPECT_NE(verified(storage->get()), "") << "byte " << at;
  }
  EXPECT_GT(changes, content.size() / stride() / 20);
}

TEST_F(Damage, AFileThatIsShorterOrGoneIsNamed) {
  for (const auto& found : std::filesystem::recursive_directory_iterator(files_)) {
    if (!found.is_regular_file()) continue;
    const std::string content = *env::read_file(found.path(), 1U << 20);
    put(found.path(), content.substr(0, content.size() - 1));
    EXPECT_NE(verified(nullptr), "") << found.path();
    std::filesystem::remove(found.path());
    const bool may_be_gone = found.path().filename() != "6";  // of an earlier checkpoint
    EXPECT_TRUE(may_be_gone || verified(nullptr).contains(found.path().string()));
    put(found.path(), content);
  }
}

/// The log opens no damaged file under its last checkpoint, and says which one it was.
TEST_F(Damage, ADamagedLogSignsNothingAndNamesTheFile) {
  env::ManualClock clock;
  const auto open = [&]() -> Result<std::unique_ptr<Log>> {
    auto storage = LOAM_TRY(open_sqlite_storage(database_));
    return Log::open({.folder = files_, .head_file = folder_ / "head"}, {key_of(1), key_of(2)},
                     std::move(storage), clock);
  };
  for (const char* name :
       {"log/checkpoint", "log/tile/0/000.p/6", "log/tile/entries/000.p/6", "ledger.db", "head"}) {
    const env::Path file = folder_ / name;
    const std::string content = *env::read_file(file, 1U << 20);
    std::string damaged = content;
    for (std::size_t at = 0; at < damaged.size(); at += 16) damaged[at] ^= 0x55;
    put(file, damaged);
    const auto opened = open();
    ASSERT_FALSE(opened) << name;
    // Of a tile and its bundle, which do not fit each other, it names one.
    const bool of_tiles = std::string_view(name).starts_with("log/tile");
    EXPECT_TRUE(opened.error().message.contains((of_tiles ? files_ : file).string()))
        << opened.error().message;
    EXPECT_NE(opened.error().hint, "") << name;
    EXPECT_EQ(*env::read_file(file, 1U << 20), damaged) << "it is left as it was found";
    put(file, content);
    EXPECT_TRUE(open()) << name;
  }
}

}  // namespace
}  // namespace loam::ledger
