#include "api/byte_range.h"

#include <gtest/gtest.h>

#include <tuple>

namespace loam::api {
namespace {

std::tuple<int, std::uint64_t, std::uint64_t> selected(std::string_view range,
                                                       std::uint64_t total) {
  const ByteRange out = select_bytes(range, total);
  return {out.status, out.offset, out.bytes};
}
using Is = std::tuple<int, std::uint64_t, std::uint64_t>;

TEST(ByteRange, OneRangeIsAPart) {
  EXPECT_EQ(selected("bytes=0-0", 10), Is(206, 0, 1));
  EXPECT_EQ(selected("bytes=2-5", 10), Is(206, 2, 4));
  EXPECT_EQ(selected("Bytes = 2 - 5", 10), Is(206, 2, 4));
  EXPECT_EQ(selected("bytes=9-", 10), Is(206, 9, 1));
  EXPECT_EQ(selected("bytes=-3", 10), Is(206, 7, 3));
}

TEST(ByteRange, WhatGoesBeyondTheEndIsCut) {
  EXPECT_EQ(selected("bytes=5-99", 10), Is(206, 5, 5));
  EXPECT_EQ(selected("bytes=5-99999999999999999999999", 10), Is(206, 5, 5));
  EXPECT_EQ(selected("bytes=-99", 10), Is(206, 0, 10));
}

TEST(ByteRange, WhatIsNotThereCannotBeSent) {
  EXPECT_EQ(selected("bytes=10-", 10), Is(416, 0, 0));
  EXPECT_EQ(selected("bytes=10-12", 10), Is(416, 0, 0));
  EXPECT_EQ(selected("bytes=99999999999999999999999-", 10), Is(416, 0, 0));
  EXPECT_EQ(selected("bytes=-0", 10), Is(416, 0, 0));
  EXPECT_EQ(selected("bytes=0-", 0), Is(416, 0, 0));
  EXPECT_EQ(selected("bytes=-5", 0), Is(416, 0, 0));
}

TEST(ByteRange, EverythingElseAsksForTheWhole) {
  for (const char* range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "bytes=+1-2",
        "bytes=1--2", "lines=1-2", "-1=bytes", "bytes=0x1-2"})
    EXPECT_EQ(selected(range, 10), Is(200, 0, 10)) << range;
}

}  // namespace
}  // namespace loam::api
