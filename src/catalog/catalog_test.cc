#include "catalog/catalog.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "catalog/file_hash.h"
#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "env/random.h"
#include "env/thread.h"

namespace loam::catalog {
namespace {

class CatalogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_).has_value());
    reopen();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void reopen() {
    catalog_.reset();
    auto opened = Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    catalog_ = std::move(*opened);
  }
  /// A model file whose content depends on `word`.
  env::Path made_file(const std::string& word) {
    const env::Path path = folder_ / (word + ".gguf");
    EXPECT_TRUE(env::write_file_atomic(path, testing::small_model(word).bytes()).has_value());
    return path;
  }
  static crypto::Digest hash(const env::Path& path) {
    return hash_file(env::open_read(path).value(), path).value().sha256;
  }
  Result<Model> add(const std::string& name, const env::Path& path,
                    Placing placing = Placing::kCopy, const std::string& licence = "") {
    return catalog_->add(name, path, hash(path), "test:" + name, licence, placing);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_ / "models"), {}));
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-catalog-");
  env::ManualClock clock_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, RemembersAModelAcrossARestart) {
  const env::Path path = made_file("tiny");
  const Model added = add("tiny", path).value();
  reopen();
  const Model found = catalog_->find("tiny").value();
  EXPECT_EQ(found.sha256, hash(path));
  EXPECT_EQ(found.bytes, std::filesystem::file_size(path));
  EXPECT_EQ(found.file, folder_ / "models" / (crypto::digest_hex(found.sha256) + ".gguf"));
  EXPECT_EQ(found.source, "test:tiny");
  EXPECT_EQ(found.licence, "apache-2.0");
  EXPECT_EQ(found.added_ms, clock_.wall_ms());
  EXPECT_EQ(found.used_ms, 0);
  EXPECT_EQ(found.facts.display_name, "tiny");
  EXPECT_EQ(found.facts.quantisation, "Q4_1");
  EXPECT_EQ(found.facts.kv_bytes_per_token, added.facts.kv_bytes_per_token);
  EXPECT_TRUE(catalog_->open_verified(found).has_value());
}

TEST_F(CatalogTest, FindsByNameInAnyCaseByLatestAndByHash) {
  const Model model = add("smol", made_file("smol")).value();
  ASSERT_TRUE(add("other:latest", made_file("other")).has_value());
  const std::string hex = crypto::digest_hex(model.sha256);
  for (const std::string& name :
       {std::string("smol"), std::string("SMOL"), std::string("smol:latest"), hex, hex.substr(0, 8),
        "sha256:" + hex.substr(0, 12)})
    EXPECT_EQ(catalog_->find(name).value().name, "smol") << name;
  EXPECT_EQ(catalog_->find("other").value().name, "other:latest");
  EXPECT_EQ(catalog_->find(hex.substr(0, 7)).error().code, ErrorCode::kNotFound);
}

TEST_F(CatalogTest, NamesTheNearestModel) {
  EXPECT_TRUE(catalog_->find("x").error().hint.contains("loam pull"));
  ASSERT_TRUE(add("smollm2", made_file("a")).has_value());
  const auto found = catalog_->find("smolm2");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(found.error().hint, "did you mean 'smollm2'?");
}

TEST_F(CatalogTest, KeepsAFileUntilItsLastNameIsGone) {
  const Model model = add("one", made_file("a")).value();
  ASSERT_TRUE(catalog_->copy("one", "two").has_value());
  ASSERT_TRUE(catalog_->remove("one").has_value());
  EXPECT_TRUE(std::filesystem::exists(model.file));
  EXPECT_EQ(catalog_->find("two").value().file, model.file);
  ASSERT_TRUE(catalog_->remove("TWO:latest").has_value());
  EXPECT_FALSE(std::filesystem::exists(model.file));
  EXPECT_EQ(catalog_->remove("two").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(catalog_->list().value().empty());
}

TEST_F(CatalogTest, NeverDeletesALinkedFile) {
  const env::Path path = made_file("mine");
  const Model model = add("mine", path, Placing::kStay).value();
  EXPECT_EQ(model.file, path);
  EXPECT_EQ(files(), 0U);
  ASSERT_TRUE(catalog_->remove("mine").has_value());
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(CatalogTest, AMovedFileIsGoneFromItsOldPlaceAndACopiedOneIsNot) {
  const env::Path moved = made_file("moved");
  const env::Path copied = made_file("copied");
  ASSERT_TRUE(add("moved", moved, Placing::kMove).has_value());
  ASSERT_TRUE(add("copied", copied, Placing::kCopy).has_value());
  EXPECT_FALSE(std::filesystem::exists(moved));
  EXPECT_TRUE(std::filesystem::exists(copied));
  EXPECT_EQ(files(), 2U);
}

TEST_F(CatalogTest, ANewModelOfANameReplacesTheOldOne) {
  const Model old = add("name", made_file("a")).value();
  const Model fresh = add("name", made_file("b")).value();
  EXPECT_NE(old.file, fresh.file);
  EXPECT_FALSE(std::filesystem::exists(old.file));
  EXPECT_EQ(catalog_->list().value().size(), 1U);
  // The same content again keeps its file.
  ASSERT_TRUE(add("name", made_file("b")).has_value());
  EXPECT_TRUE(std::filesystem::exists(fresh.file));
}

TEST_F(CatalogTest, RefusesAFileThatIsNoModelAndLeavesItAlone) {
  const env::Path path = folder_ / "text";
  ASSERT_TRUE(env::write_file_atomic(path, "not a model").has_value());
  const auto added = add("x", path, Placing::kMove);
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(added.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(added.error().message.contains(path.string()));
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(files(), 0U);
}

TEST_F(CatalogTest, NoticesAChangedFileAndSaysWhatToDo) {
  const Model model = add("tiny", made_file("tiny")).value();
  std::string content = env::read_file(model.file, 1 << 20).value();
  content.back() = 1;
  ASSERT_TRUE(env::write_file_atomic(model.file, content).has_value());
  const auto opened = catalog_->open_verified(model);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(opened.error().message.contains(model.file.string()));
  EXPECT_TRUE(opened.error().hint.contains("loam rm tiny"));
  content.pop_back();
  ASSERT_TRUE(env::write_file_atomic(model.file, content).has_value());
  EXPECT_EQ(catalog_->open_verified(model).error().code, ErrorCode::kCorrupt);
}

TEST_F(CatalogTest, HashesAgainWhenOnlyTheStampChangedAndRemembersTheNewOne) {
  const Model model = add("tiny", made_file("tiny")).value();
  std::filesystem::last_write_time(
      model.file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_TRUE(catalog_->open_verified(model).has_value());
  reopen();
  EXPECT_TRUE(catalog_->open_verified(model).has_value());
}

TEST_F(CatalogTest, AFileThatWentAwayIsNotFound) {
  const env::Path path = made_file("mine");
  const Model model = add("mine", path, Placing::kStay).value();
  std::filesystem::remove(path);
  const auto opened = catalog_->open_verified(model);
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(opened.error().message.contains(path.string()));
}

TEST_F(CatalogTest, TheLicenceIsTheGivenOneElseTheFilesElseUnknown) {
  EXPECT_EQ(add("a", made_file("a"), Placing::kCopy, "mit").value().licence, "mit");
  EXPECT_EQ(add("b", made_file("b")).value().licence, "apache-2.0");
  const env::Path bare = folder_ / "bare.gguf";
  const std::string bytes = testing::GgufWriter().text("general.architecture", "llama").bytes();
  ASSERT_TRUE(env::write_file_atomic(bare, bytes).has_value());
  EXPECT_EQ(add("c", bare).value().licence, "unknown");
}

TEST_F(CatalogTest, NotesTheLastUse) {
  ASSERT_TRUE(add("a", made_file("a")).has_value());
  clock_.advance_ms(5000);
  ASSERT_TRUE(catalog_->mark_used("a").has_value());
  EXPECT_EQ(catalog_->find("a").value().used_ms, clock_.wall_ms());
}

TEST_F(CatalogTest, AHomeCanBeMoved) {
  ASSERT_TRUE(add("ours", made_file("a")).has_value());
  const env::Path linked = made_file("b");
  ASSERT_TRUE(add("linked", linked, Placing::kStay).has_value());
  catalog_.reset();
  std::filesystem::rename(folder_ / "models", folder_ / "elsewhere");
  catalog_ = std::move(*Catalog::open(folder_ / "catalog.db", folder_ / "elsewhere/", clock_));
  const Model ours = catalog_->find("ours").value();
  EXPECT_EQ(ours.file.parent_path(), folder_ / "elsewhere");
  EXPECT_TRUE(catalog_->open_verified(ours).has_value());
  EXPECT_EQ(catalog_->find("linked").value().file, linked);
}

TEST_F(CatalogTest, ClearsAwayWhatACrashedCopyLeft) {
  const env::Path left = folder_ / "models" / "abc.gguf.incomplete-x";
  ASSERT_TRUE(env::write_file_atomic(left, "x").has_value());
  reopen();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(CatalogTest, ServesSeveralThreads) {
  ASSERT_TRUE(add("shared", made_file("shared")).has_value());
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.push_back(env::start_thread("test", [this, i](const std::stop_token&) {
      const std::string name = "copy" + std::to_string(i);
      for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(catalog_->copy("shared", name).has_value());
        EXPECT_TRUE(catalog_->open_verified(catalog_->find(name).value()).has_value());
        EXPECT_TRUE(catalog_->remove(name).has_value());
      }
    }));
  threads.clear();
  EXPECT_EQ(catalog_->list().value().size(), 1U);
}

TEST(ModelName, TakesWhatCanStandInAUrlAndNothingElse) {
  EXPECT_EQ(checked_name("SmolLM2:135m-q4_1").value(), "smollm2:135m-q4_1");
  EXPECT_EQ(checked_name("org/model.v2").value(), "org/model.v2");
  for (const std::string& name :
       {std::string(), std::string("-x"), std::string("a b"), std::string("../x"),
        std::string("a/../b"), std::string("a//b"), std::string("a/"), std::string("a:"),
        std::string("a\n"), std::string("\xc3\xa9"), std::string(129, 'a')})
    EXPECT_EQ(checked_name(name).error().code, ErrorCode::kInvalidArgument) << name;
}

TEST_F(CatalogTest, AnAdapterMakesAModelBesideItsBase) {
  const Model base = add("base", made_file("tiny")).value();
  const env::Path file = folder_ / "adapter.gguf";
  ASSERT_TRUE(env::write_file_atomic(file, testing::small_adapter().bytes()));
  ASSERT_TRUE(catalog_->add_adapter("tuned", base, file, hash(file), "test"));
  reopen();
  const Model tuned = catalog_->find("tuned").value();
  EXPECT_EQ(tuned.file, base.file);
  EXPECT_EQ(tuned.facts.context, base.facts.context);
  EXPECT_EQ(tuned.content(), (std::vector{base.sha256, hash(file)}));
  EXPECT_TRUE(catalog_->open_adapter(tuned));
  EXPECT_EQ(catalog_->find(crypto::digest_hex(base.sha256))->name, "base");
  EXPECT_EQ(catalog_->find(crypto::digest_hex(hash(file)))->name, "tuned");
  EXPECT_EQ(catalog_->add_adapter("twice", tuned, file, hash(file), "").error().code,
            ErrorCode::kInvalidArgument);

  EXPECT_EQ(files(), 2U);
  ASSERT_TRUE(catalog_->remove("base"));
  EXPECT_EQ(files(), 2U) << "the adapter needs its base";
  ASSERT_TRUE(catalog_->remove("tuned"));
  EXPECT_EQ(files(), 0U);
}

TEST_F(CatalogTest, WaitsForNoOtherProcessAndSaysSo) {
  const env::Path path = made_file("tiny");
  {
    const auto other = env::FileLock::acquire(folder_ / "catalog.db.lock");
    ASSERT_TRUE(other);
    const auto added = add("tiny", path);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(files(), 0U);
  }
  EXPECT_TRUE(add("tiny", path));
}

TEST_F(CatalogTest, AnAdapterThatWasChangedIsNotOpened) {
  const Model base = add("base", made_file("tiny")).value();
  const env::Path file = folder_ / "adapter.gguf";
  ASSERT_TRUE(env::write_file_atomic(file, testing::small_adapter().bytes()));
  const Model tuned = catalog_->add_adapter("tuned", base, file, hash(file), "").value();
  ASSERT_TRUE(env::write_file_atomic(tuned.adapter->file, "something else"));
  EXPECT_EQ(catalog_->open_adapter(tuned).error().code, ErrorCode::kCorrupt);
}

TEST_F(CatalogTest, AnAdapterMustFitItsBase) {
  const Model base = add("base", made_file("tiny")).value();
  testing::GgufWriter half;
  half.text("general.architecture", "llama")
      .text("general.type", "adapter")
      .text("adapter.type", "lora")
      .tensor("blk.0.attn_q.weight.lora_a", {64, 2}, 0, 64 * 2 * 4);
  testing::GgufWriter other;
  other.text("general.architecture", "qwen2")
      .text("general.type", "adapter")
      .text("adapter.type", "lora");
  const std::vector<std::pair<testing::GgufWriter, std::string>> cases = {
      {testing::small_model(), "no LoRA adapter"},
      {testing::small_adapter("blk.9.attn_q.weight"), "no tensor blk.9.attn_q.weight"},
      {testing::small_adapter("blk.0.attn_q.weight", 32), "sizes for blk.0.attn_q.weight"},
      {half, "one half only"},
      {other, "architecture qwen2"}};
  for (const auto& [writer, words] : cases) {
    const env::Path file = folder_ / "adapter.gguf";
    ASSERT_TRUE(env::write_file_atomic(file, writer.bytes()));
    const auto added = catalog_->add_adapter("tuned", base, file, hash(file), "");
    ASSERT_FALSE(added) << words;
    EXPECT_EQ(added.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(added.error().message.find(words), std::string::npos) << added.error().message;
  }
  EXPECT_EQ(files(), 1U);
}

TEST_F(CatalogTest, AnAdapterWithAnInfinityIsRefused) {
  const Model base = add("base", made_file("tiny")).value();
  const env::Path file = folder_ / "adapter.gguf";
  const std::string whole = testing::small_adapter().bytes();
  const std::string infinity("\x00\x00\x80\xff", 4), nan("\x01\x00\xc0\x7f", 4);
  for (const std::string& number : {infinity, nan}) {
    std::string spoilt = whole;  // the last number of its last tensor
    spoilt.replace(spoilt.size() - number.size(), number.size(), number);
    ASSERT_TRUE(env::write_file_atomic(file, spoilt));
    const auto added = catalog_->add_adapter("tuned", base, file, hash(file), "");
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, ErrorCode::kCorrupt);
    EXPECT_TRUE(added.error().message.contains("blk.0.attn_q.weight.lora_b holds infinity or NaN"))
        << added.error().message;
  }
  EXPECT_EQ(files(), 1U);
}

}  // namespace
}  // namespace loam::catalog
