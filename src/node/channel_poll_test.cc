#include "node/channel_poll.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "env/file.h"
#include "env/random.h"

namespace loam::node {
namespace {

class ChannelPollTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env::make_folder(folder_));
    // In place of `loam`: says what it was asked.
    ASSERT_TRUE(env::write_file_atomic(program_, "#!/bin/sh\necho \"$@\"\n"));
    ASSERT_EQ(::chmod(program_.c_str(), 0700), 0);
    ASSERT_TRUE(book_.set_policy("a log", {.adoption = release::Adoption::kAuto}));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// What the first look asks for.
  std::string asked(bool attest) {
    ChannelPoll poll({book_, program_, {"--home", "here"}, std::chrono::hours(1), attest});
    poll.start();
    for (;;) {
      const auto said = env::read_file(book_.folder() / "poll.log", 4096);
      if (said && said->ends_with('\n')) return *said;
      std::this_thread::yield();
    }
  }

  const env::Path folder_ =
      std::filesystem::temp_directory_path() / env::random_id("loam-channel-poll-");
  const env::Path program_ = folder_ / "program";
  const release::ChannelBook book_{folder_ / "channels"};
};

TEST_F(ChannelPollTest, SignsWhatTheGateSaysOnlyIfTheOwnerWantsIt) {
  EXPECT_EQ(asked(false), "channel poll --home here\n");
  EXPECT_TRUE(env::remove_file(book_.folder() / "poll.log"));
  EXPECT_EQ(asked(true), "channel poll --attest --home here\n");
}

}  // namespace
}  // namespace loam::node
