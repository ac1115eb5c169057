#include "train/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>

namespace loam::train {
namespace {

TEST(Team, SaysOnTheCallersThreadThatThereIsNoMemory) {
  for (const std::size_t threads : {1U, 3U}) {
    Team team(threads);
    const auto find_none = [](std::size_t i, std::size_t) {
      if (i == 5) throw std::bad_alloc();
    };
    EXPECT_THROW(team.run(20, find_none), std::bad_alloc);
    std::atomic<int> calls = 0;
    team.run(20, [&](std::size_t, std::size_t) { ++calls; });
    EXPECT_EQ(calls, 20) << "it works on";
  }
}

}  // namespace
}  // namespace loam::train
