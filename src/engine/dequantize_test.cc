#include "engine/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace loam::engine {
namespace {

constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ8Zero = 8;
[[maybe_unused]] constexpr std::uint32_t kQ4One = 3;

Result<std::vector<float>> numbers(std::uint32_t type, const Bytes& blocks, std::size_t count) {
  std::vector<float> out(count, -99);
  LOAM_TRY(dequantize(type, blocks, out));
  return out;
}

TEST(Dequantize, CopiesNumbersOf32Bits) {
  const Bytes blocks = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0};
  EXPECT_EQ(numbers(kF32, blocks, 2).value(), (std::vector<float>{1, -2}));
  EXPECT_TRUE(dequantize(kF32, {}, {}).has_value());
}

TEST(Dequantize, RefusesNumbersThatTheBytesAreNot) {
  for (const std::size_t count : {0U, 1U, 3U})
    EXPECT_EQ(numbers(kF32, Bytes(8), count).error().code, ErrorCode::kCorrupt) << count;
  EXPECT_EQ(numbers(kF32, Bytes(7), 2).error().code, ErrorCode::kCorrupt);
}

#ifdef LOAM_HAVE_LLAMA

TEST(Dequantize, WidensNumbersOf16Bits) {
  // 1, -2, the largest, the smallest above 0, infinity.
  const Bytes blocks = {0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0, 0x7c};
  EXPECT_EQ(numbers(kF16, blocks, 5).value(),
            (std::vector<float>{1, -2, 65'504, std::ldexp(1.0F, -24), INFINITY}));
}

TEST(Dequantize, ScalesABlockOf32WholeNumbers) {
  Bytes blocks;
  for (const std::uint8_t scale_high : Bytes{0x38, 0xc4}) {  // 0.5 and -4
    blocks.insert(blocks.end(), {0, scale_high});
    for (int i = 0; i < 32; ++i) blocks.push_back(static_cast<std::uint8_t>(i * 8 - 128));
  }
  const auto found = numbers(kQ8Zero, blocks, 64).value();
  for (std::size_t i = 0; i < 32; ++i) {
    const float whole = static_cast<float>(i) * 8 - 128;
    EXPECT_EQ(found[i], whole * 0.5F) << i;
    EXPECT_EQ(found[i + 32], whole * -4) << i;
  }
}

TEST(Dequantize, AddsTheLeastOfABlockWhereTheFormatHasOne) {
  Bytes blocks = {0, 0x40, 0, 0xbc};  // times 2, less 1
  for (unsigned i = 0; i < 16; ++i)   // 0 to 15, then always 15
    blocks.push_back(static_cast<std::uint8_t>(0xf0U | i));
  const auto found = numbers(kQ4One, blocks, 32).value();
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(found[i], static_cast<float>(i) * 2 - 1) << i;
    EXPECT_EQ(found[i + 16], 29) << i;
  }
}

TEST(Dequantize, RefusesBlocksThatAreNotWhole) {
  EXPECT_EQ(numbers(kQ8Zero, Bytes(34), 31).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(numbers(kQ8Zero, Bytes(34), 64).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(numbers(kQ8Zero, Bytes(33), 32).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(numbers(kQ8Zero, Bytes(67), 32).error().code, ErrorCode::kCorrupt);
}

TEST(Dequantize, RefusesFormatsThatHoldNoWeights) {
  // Given back, of activations, whole numbers, beyond all.
  for (const std::uint32_t type : {4U, 9U, 15U, 26U, 31U, 1000U, UINT32_MAX})
    EXPECT_EQ(numbers(type, {}, 0).error().code, ErrorCode::kUnsupported) << type;
}

#else

TEST(Dequantize, KnowsNothingElseWithoutItsLibrary) {
  for (const std::uint32_t type : {kF16, kQ8Zero})
    EXPECT_EQ(numbers(type, {}, 0).error().code, ErrorCode::kUnsupported);
}

#endif

}  // namespace
}  // namespace loam::engine
