// The golden data set: built again from its own logs it is the same, byte for byte. The vectors of
// roots. tests/formats/make_dataset.py makes both, and tests/formats/dataset_check.py has confirmed
// them from docs/formats alone.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/parse.h"
#include "codec/cbor.h"
#include "codec/json.h"
#include "crypto/merkle.h"
#include "dataset/build.h"
#include "dataset/verify.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::dataset {
namespace {

const env::Path kTestData = LOAM_TESTDATA;

std::string text_of(const env::Path& path) { return env::read_file(path, 1U << 20U).value(); }

codec::Value vectors() { return codec::parse_json(text_of(kTestData / "roots.json")).value(); }

bool go_on(std::string_view, std::uint64_t, std::uint64_t) { return true; }

/// The copy of a log in the golden data set, with the bodies that are there and beside it.
class GoldenLog : public ledger::LogSource {
 public:
  explicit GoldenLog(const crypto::VerifierKey& key)
      : folder_(kTestData / "set" / log_folder(key.key)), copy_(ledger::open_log_folder(folder_)) {
    for (const char* file : {"set/bodies.jsonl", "texts.jsonl"}) {
      const std::string text = text_of(kTestData / file);
      for (const std::string_view line : split(text, '\n')) {
        if (line.empty()) continue;
        UsedBody body = parse_body_line(line).value();
        bodies_.emplace(body.id, std::move(body.body));
      }
    }
  }
  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    return copy_->read(path, bytes_max);
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    const auto found = bodies_.find(id);
    if (found == bodies_.end()) return fail(ErrorCode::kNotFound, "no body");
    return found->second;
  }
  std::string name() const override { return folder_.string(); }

 private:
  env::Path folder_;
  std::unique_ptr<ledger::LogSource> copy_;
  std::map<ledger::RecordId, ledger::SaltedBody> bodies_;
};

/// Two logs, in the order of the vectors' keys.
class GoldenTest : public ::testing::Test {
 protected:
  GoldenTest() {
    const codec::Value all = vectors();
    for (const codec::Value& text : *all.find("verifier_keys")->as_array()) {
      keys_.push_back(crypto::parse_verifier_key(*text.as_string()).value());
      logs_.push_back(std::make_unique<GoldenLog>(keys_.back()));
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<LogInput> inputs() const {
    std::vector<LogInput> out;
    for (std::size_t i = 0; i < keys_.size(); ++i) out.push_back({keys_[i], logs_[i].get()});
    return out;
  }

  env::Path folder_ =
      std::filesystem::temp_directory_path() / ("loam-golden-" + env::random_id("t"));
  std::vector<crypto::VerifierKey> keys_;
  std::vector<std::unique_ptr<GoldenLog>> logs_;
};

TEST_F(GoldenTest, TheSameLogsAndRecipeGiveTheSameBytes) {
  const Manifest manifest = parse_manifest(text_of(kTestData / "set" / kManifestFile)).value();
  const auto made =
      build(folder_, {.logs = inputs(), .recipe = {Query::parse(manifest.query).value()}}, go_on);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->manifest.split_seed, manifest.split_seed) << "drawn from the logs' roots";
  std::size_t compared = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(kTestData / "set")) {
    if (!file.is_regular_file()) continue;
    const env::Path name = std::filesystem::relative(file.path(), kTestData / "set");
    EXPECT_EQ(text_of(folder_ / name), text_of(file.path())) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 8U + 2 * keys_.size()) << "all files under the root, and the logs";
}

TEST_F(GoldenTest, ItVerifiesAndIsTheSameWithAllTextsAtHand) {
  const auto alone = verify(kTestData / "set", {keys_}, go_on);
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_EQ(alone->faults, std::vector<std::string>());
  const auto checked = verify(kTestData / "set", {keys_, inputs()}, go_on);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->faults, std::vector<std::string>());
  EXPECT_TRUE(checked->rechecked);
  // What was never served, or not as committed, cannot be looked at again.
  EXPECT_LT(checked->gone, 10U);
}

std::vector<Bytes> bytes_at(const codec::Value& vector, std::string_view name) {
  std::vector<Bytes> out;
  for (const codec::Value& item : *vector.find(name)->as_array())
    out.push_back(from_hex(*item.as_string()).value());
  return out;
}

crypto::Digest root_of(const std::vector<Bytes>& leaves) {
  crypto::Frontier tree;
  for (const Bytes& leaf : leaves) tree.append(crypto::leaf_hash(leaf));
  return tree.root();
}

TEST(RootVectors, RootsAreWhatTheVectorsSay) {
  const codec::Value all = vectors();
  ASSERT_EQ(all.find("cases")->as_array()->size(), 5U);
  for (const codec::Value& vector : *all.find("cases")->as_array()) {
    const std::string& shows = *vector.find("shows")->as_string();
    const std::vector<Bytes> rows = bytes_at(vector, "rows");
    for (const Bytes& row : rows) {  // in the one encoding
      const auto value = codec::parse_cbor(row);
      ASSERT_TRUE(value) << shows;
      EXPECT_EQ(codec::to_cbor(*value), row) << shows;
    }
    const Roots roots{root_of(rows), root_of(bytes_at(vector, "used")),
                      crypto::parse_digest(*vector.find("manifest_sha256")->as_string()).value()};
    EXPECT_EQ(crypto::digest_hex(roots.rows), *vector.find("rows_root")->as_string()) << shows;
    EXPECT_EQ(crypto::digest_hex(roots.used), *vector.find("used_root")->as_string()) << shows;
    EXPECT_EQ(crypto::digest_hex(roots.dataset()), *vector.find("dataset_root")->as_string())
        << shows;
  }
}

}  // namespace
}  // namespace loam::dataset
