#include "dataset/zstd.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "env/file.h"

namespace loam::dataset {
namespace {

constexpr std::uint64_t kMax = std::uint64_t{64} << 20;

class Zstd : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "loam-zstd-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { static_cast<void>(env::remove_tree(folder_)); }

  /// What compress_file() makes of a file with `content`.
  std::string compressed(std::string_view content) {
    const env::Path from = folder_ / "plain";
    const env::Path to = folder_ / "small";
    EXPECT_TRUE(env::write_file_atomic(from, content));
    static_cast<void>(env::remove_file(to));
    const auto done = compress_file(from, to);
    EXPECT_TRUE(done) << done.error().message;
    return env::read_file(to, kMax).value_or("");
  }
  static ErrorCode refusal(std::string_view bytes, std::uint64_t bytes_max = kMax) {
    const auto content = decompress(as_bytes(bytes), bytes_max);
    EXPECT_FALSE(content);
    return content ? ErrorCode::kInternal : content.error().code;
  }

  env::Path folder_;
};

/// Text that compresses, of a length that fits no block.
std::string text_of(std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += "Line " + std::to_string(out.size() * 2654435761U) + ".\n";
  out.resize(bytes);
  return out;
}

TEST_F(Zstd, GivesBackWhatItTookWhateverTheSize) {
  for (const std::size_t bytes : {0U, 1U, 1000U, 131'072U, 131'073U, 1'000'001U}) {
    const std::string content = text_of(bytes);
    const auto back = decompress(as_bytes(compressed(content)), bytes);
    ASSERT_TRUE(back) << bytes << ": " << back.error().message;
    EXPECT_EQ(*back, content) << bytes;
  }
}

TEST_F(Zstd, GivesTheSameBytesForTheSameContent) {
  const std::string content = text_of(500'000);
  const std::string first = compressed(content);
  EXPECT_EQ(compressed(content), first);
  EXPECT_LT(first.size(), content.size() / 2);
}

TEST_F(Zstd, RefusesAFrameWhoseContentIsLargerThanAllowed) {
  const std::string bomb = compressed(std::string(std::size_t{16} << 20, '\0'));
  EXPECT_LT(bomb.size(), 4096U);
  EXPECT_EQ(refusal(bomb, 1'000'000), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refusal(compressed("ab"), 1), ErrorCode::kResourceExhausted);
  EXPECT_EQ(refusal(compressed("a"), 0), ErrorCode::kResourceExhausted);
}

TEST_F(Zstd, RefusesAWindowOver8MiB) {
  // A frame's header alone: no single segment, window descriptor for 16 MiB. RFC 8878
  // section 3.1.1.1.
  EXPECT_EQ(refusal(std::string("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00", 9)),
            ErrorCode::kResourceExhausted);
}

TEST_F(Zstd, RefusesEveryCut) {
  const std::string frame = compressed(text_of(2000));
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes)
    EXPECT_EQ(refusal(std::string_view(frame).substr(0, bytes)), ErrorCode::kCorrupt) << bytes;
}

TEST_F(Zstd, RefusesWhatFollowsTheFrame) {
  const std::string frame = compressed(text_of(2000));
  EXPECT_EQ(refusal(frame + "x"), ErrorCode::kCorrupt);
  EXPECT_EQ(refusal(frame + frame), ErrorCode::kCorrupt);
  const std::string skippable("\x50\x2a\x4d\x18\x01\x00\x00\x00x", 9);
  EXPECT_EQ(refusal(skippable + frame), ErrorCode::kCorrupt);
  EXPECT_EQ(refusal(frame + skippable), ErrorCode::kCorrupt);
  EXPECT_EQ(refusal(skippable), ErrorCode::kCorrupt);
}

TEST_F(Zstd, RefusesEveryFlippedBitOfContentAndChecksum) {
  const std::string content = text_of(300);
  const std::string frame = compressed(content);
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string bad = frame;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto back = decompress(as_bytes(bad), kMax);
    // A flag may say that there is no checksum; then the four bytes follow the frame.
    EXPECT_FALSE(back && *back != content) << bit;
  }
}

TEST_F(Zstd, NeitherReplacesAFileNorLeavesHalfOfOne) {
  const env::Path from = folder_ / "a";
  const env::Path to = folder_ / "b";
  EXPECT_EQ(compress_file(from, to).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(env::is_plain_file(to));
  ASSERT_TRUE(env::write_file_atomic(from, "x"));
  ASSERT_TRUE(env::write_file_atomic(to, "mine"));
  EXPECT_EQ(compress_file(from, to).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(env::read_file(to, 10).value_or(""), "mine");
}

}  // namespace
}  // namespace loam::dataset
