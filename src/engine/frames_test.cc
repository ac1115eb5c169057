#include "engine/frames.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/protocol.h"

namespace loam::engine {
namespace {

class Frames : public ::testing::Test {
 protected:
  SocketPair pair_ = *make_socket_pair();
  FrameWriter writer_{pair_.ours.get()};
  FrameReader reader_{pair_.theirs.get(), 1U << 20, Descriptors::kAccept};

  Bytes next_frame() {
    for (;;) {
      auto frame = reader_.next();
      EXPECT_TRUE(frame.has_value());
      if (!frame) return {};
      if (*frame) return {(*frame)->begin(), (*frame)->end()};
      const auto filled = reader_.fill();
      EXPECT_TRUE(filled.has_value());
      if (!filled || *filled != FrameReader::Filled::kMore) return {};
    }
  }
};

TEST_F(Frames, AFrameIsItsLengthAndItsBytes) {
  writer_.put(Bytes{0xaa, 0xbb});
  ASSERT_TRUE(writer_.flush());
  std::uint8_t raw[16];
  ASSERT_EQ(::read(pair_.theirs.get(), raw, sizeof raw), 6);
  EXPECT_EQ(to_hex(ByteView(raw, 6)), "02000000aabb");
}

TEST_F(Frames, SeveralFramesComeOneByOneAndAnEmptyOneIsAFrame) {
  writer_.put(Bytes{1});
  writer_.put(Bytes{});
  writer_.put(Bytes{2, 3});
  ASSERT_TRUE(writer_.flush());
  EXPECT_EQ(next_frame(), (Bytes{1}));
  EXPECT_EQ(next_frame(), Bytes{});
  EXPECT_EQ(next_frame(), (Bytes{2, 3}));
}

TEST_F(Frames, AFrameThatComesByteByByteIsPutTogether) {
  const Bytes raw = {3, 0, 0, 0, 7, 8, 9};
  for (const std::uint8_t& byte : raw) {
    ASSERT_EQ(::write(pair_.ours.get(), &byte, 1), 1);
    ASSERT_TRUE(reader_.fill());
    const auto frame = reader_.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->has_value(), &byte == &raw.back());
    if (*frame) {
      EXPECT_EQ(to_hex(**frame), "070809");
    }
  }
}

TEST_F(Frames, WhatTheSocketDoesNotTakeWaits) {
  const Bytes large(900'000, 0x5a);
  writer_.put(large);
  writer_.put(large);
  ASSERT_TRUE(writer_.flush());
  EXPECT_GT(writer_.waiting(), 0U);
  int frames = 0;
  for (int turn = 0; turn < 1000 && frames < 2; ++turn) {
    ASSERT_TRUE(reader_.fill());
    const auto frame = reader_.next();
    ASSERT_TRUE(frame);
    if (*frame) {
      EXPECT_TRUE(std::equal((*frame)->begin(), (*frame)->end(), large.begin(), large.end()));
      ++frames;
    }
    ASSERT_TRUE(writer_.flush());
  }
  EXPECT_EQ(frames, 2);
  EXPECT_EQ(writer_.waiting(), 0U);
}

TEST_F(Frames, ADescriptorTravelsWithItsFrameAndIsCloseOnExec) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const env::Fd write_end(ends[1]);
  writer_.put(Bytes{1});
  writer_.put(Bytes{2}, env::Fd(ends[0]));
  writer_.put(Bytes{3});
  ASSERT_TRUE(writer_.flush());
  EXPECT_EQ(next_frame(), (Bytes{1}));
  EXPECT_EQ(next_frame(), (Bytes{2}));
  const env::Fd got = reader_.take_attachment();
  ASSERT_TRUE(got.valid());
  EXPECT_EQ(::fcntl(got.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(got.get(), &c, 1), 1);
  EXPECT_EQ(next_frame(), (Bytes{3}));
  EXPECT_FALSE(reader_.take_attachment().valid());
}

TEST_F(Frames, ASecondDescriptorIsRefused) {
  writer_.put(Bytes{1}, env::Fd(::dup(pair_.ours.get())));
  ASSERT_TRUE(writer_.flush());
  ASSERT_TRUE(reader_.fill());
  writer_.put(Bytes{2}, env::Fd(::dup(pair_.ours.get())));
  ASSERT_TRUE(writer_.flush());
  const auto filled = reader_.fill();
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code, ErrorCode::kCorrupt);
}

TEST_F(Frames, AReaderThatWantsNoDescriptorGetsNone) {
  FrameReader strict(pair_.theirs.get(), 100, Descriptors::kRefuse);
  writer_.put(Bytes{1}, env::Fd(::dup(pair_.ours.get())));
  ASSERT_TRUE(writer_.flush());
  // The next descriptor would have this number, had one come.
  const env::Fd before(::dup(pair_.ours.get()));
  ASSERT_TRUE(strict.fill());
  EXPECT_FALSE(strict.take_attachment().valid());
  const env::Fd after(::dup(pair_.ours.get()));
  EXPECT_EQ(after.get(), before.get() + 1);
}

TEST_F(Frames, AnAnnouncedSizeBeyondTheLimitIsRefusedBeforeItIsRead) {
  const Bytes head = {0xff, 0xff, 0xff, 0x7f};
  ASSERT_EQ(::write(pair_.ours.get(), head.data(), head.size()), 4);
  ASSERT_TRUE(reader_.fill());
  EXPECT_FALSE(reader_.next());
}

TEST_F(Frames, WhatCameBeforeTheEndIsStillHandedOut) {
  writer_.put(Bytes{1});
  ASSERT_TRUE(writer_.flush());
  pair_.ours = env::Fd();
  EXPECT_EQ(next_frame(), (Bytes{1}));
  EXPECT_EQ(*reader_.fill(), FrameReader::Filled::kClosed);
}

TEST_F(Frames, WritingToAClosedSocketIsAnErrorAndNoSignal) {
  pair_.theirs = env::Fd();
  writer_.put(Bytes{1});
  const auto flushed = writer_.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace loam::engine
