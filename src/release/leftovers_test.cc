// What was killed in the middle leaves nothing for long.
#include "release/leftovers.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/testing/gguf_writer.h"
#include "env/file.h"
#include "env/random.h"
#include "release/publish.h"
#include "release/taken.h"

namespace loam::release {
namespace {

class LeftoversTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_)); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A folder with something in it.
  env::Path filled(const env::Path& folder) {
    EXPECT_TRUE(env::make_folder(folder / "set"));
    EXPECT_TRUE(env::write_file_atomic(folder / "set" / "sft.jsonl", "a text of another"));
    return folder;
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-leftovers-");
  env::SystemClock clock_;
};

TEST_F(LeftoversTest, OfATakeNoTextAndNoCandidateStays) {
  const auto catalog =
      catalog::Catalog::open(folder_ / "catalog.db", folder_ / "models", clock_).value();
  EXPECT_TRUE(remove_takes(folder_ / "cache", *catalog));  // there was none yet
  const std::string model = catalog::testing::small_model().bytes();
  ASSERT_TRUE(env::write_file_atomic(folder_ / "model.gguf", model));
  const auto base = catalog->add("base", folder_ / "model.gguf", crypto::sha256(as_bytes(model)),
                                 "test", "apache-2.0");
  const std::string bytes = catalog::testing::small_adapter().bytes();
  ASSERT_TRUE(env::write_file_atomic(folder_ / "adapter.gguf", bytes));
  const auto sha256 = crypto::sha256(as_bytes(bytes));
  for (const std::string& name : {std::string("sailor"), candidate_name(sha256)})
    ASSERT_TRUE(catalog->add_adapter(name, *base, folder_ / "adapter.gguf", sha256,
                                     source_of({crypto::Digest{1}})));
  ASSERT_TRUE(catalog->copy("base", "candidate-of-mine"));
  const env::Path left = filled(new_take_folder(folder_ / "cache"));
  ASSERT_TRUE(remove_takes(folder_ / "cache", *catalog));
  EXPECT_FALSE(env::stamp(left));
  EXPECT_FALSE(catalog->find(candidate_name(sha256)));
  for (const char* name : {"base", "sailor", "candidate-of-mine"})
    EXPECT_TRUE(catalog->find(name)) << name;
}

TEST_F(LeftoversTest, OfAPublicationThatGoesOnEverythingStays) {
  EXPECT_TRUE(remove_left_staged(folder_));  // there was none yet
  const env::Path going = staging_folder(folder_, "pub-going").value();
  const env::Path left = staging_folder(folder_, "pub-left").value();
  const env::Path old = filled(staging_folder(folder_, "pub-old").value());  // without a lock
  const auto held = lock_staging(going);
  ASSERT_TRUE(held) << held.error().message;
  filled(going);
  {
    ASSERT_TRUE(lock_staging(left));
  }
  filled(left);
  ASSERT_TRUE(remove_left_staged(folder_));
  EXPECT_TRUE(env::stamp(going / "set"));
  EXPECT_FALSE(env::stamp(left));
  EXPECT_FALSE(env::stamp(old));
  ASSERT_TRUE(remove_staged(going));
  EXPECT_TRUE(env::names_in(going.parent_path())->empty());
}

}  // namespace
}  // namespace loam::release
