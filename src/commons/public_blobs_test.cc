#include "commons/public_blobs.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "env/file.h"
#include "env/random.h"

namespace loam::commons {
namespace {

class PublicBlobsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::make_folder(folder_)); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  env::Path file(std::string_view content) {
    const env::Path path = folder_ / env::random_id("file-");
    EXPECT_TRUE(env::write_file_atomic(path, content));
    return path;
  }

  env::Path folder_ = std::filesystem::temp_directory_path() / env::random_id("loam-blobs-");
};

TEST_F(PublicBlobsTest, WhatWasAddedIsFoundByItsHashAfterARestartToo) {
  const crypto::Digest digest = crypto::sha256(as_bytes("a proof"));
  {
    auto blobs = PublicBlobs::open(folder_ / "public");
    ASSERT_TRUE(blobs) << blobs.error().message;
    const env::Path source = file("a proof");
    EXPECT_EQ(*blobs->add(source), digest);
    EXPECT_EQ(*blobs->add(source), digest);  // again: nothing changes
    ASSERT_TRUE(env::write_file_atomic(source, "something else"));
  }
  const auto blobs = PublicBlobs::open(folder_ / "public");
  const auto found = blobs->find(digest);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->bytes, 7U);
  Bytes content(7);
  EXPECT_EQ(*env::read_at(*found->file, found->path, 0, content), 7U);
  EXPECT_EQ(as_text(content), "a proof");
  EXPECT_EQ(env::names_in(folder_ / "public")->size(), 1U);
}

TEST_F(PublicBlobsTest, NothingElseIsFoundAndWhatWasLeftHalfIsRemoved) {
  ASSERT_TRUE(env::make_folder(folder_ / "public"));
  ASSERT_TRUE(env::write_file_atomic(folder_ / "public" / "new-abc", "half"));
  auto blobs = PublicBlobs::open(folder_ / "public");
  ASSERT_TRUE(blobs);
  EXPECT_TRUE(env::names_in(folder_ / "public")->empty());
  EXPECT_EQ(blobs->find({}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(blobs->add(folder_ / "no-such-file").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(blobs->add(folder_));  // a folder
  EXPECT_TRUE(env::names_in(folder_ / "public")->empty());
}

TEST_F(PublicBlobsTest, ADamagedFileIsNamedAndNotGivenOut) {
  auto blobs = PublicBlobs::open(folder_ / "public");
  const crypto::Digest digest = *blobs->add(file("a proof"));
  ASSERT_TRUE(blobs->find(digest));
  const env::Path path = folder_ / "public" / crypto::digest_hex(digest);
  ASSERT_TRUE(env::write_file_atomic(path, "a proog"));
  const auto damaged = blobs->find(digest);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(damaged.error().message.find(path.string()), std::string::npos);
  EXPECT_NE(damaged.error().hint, "");
  ASSERT_TRUE(env::write_file_atomic(path, "a proof"));
  EXPECT_TRUE(blobs->find(digest));
}

}  // namespace
}  // namespace loam::commons
