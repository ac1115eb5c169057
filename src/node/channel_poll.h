// Looks for what channels set to `auto` offer, by a process of this program now and then.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "release/channels.h"

namespace loam::node {

struct ChannelPollSetup {
  release::ChannelBook book;
  env::Path program;
  std::vector<std::string> program_options;  // by which it finds this home
  std::chrono::seconds every;
  bool attest = false;  // and sign what the gate says
};

/// The process verifies, builds and gates, which takes minutes: it must not be part of what
/// serves. There is one at a time, and none while no channel is set to `auto`.
class ChannelPoll {
 public:
  explicit ChannelPoll(ChannelPollSetup setup) : setup_(std::move(setup)) {}

  /// The first look is at once.
  void start();
  /// Asks a process under way to end, and waits for it. So does the destructor.
  void stop() { thread_ = {}; }

 private:
  void run(const std::stop_token& stopping);
  void look(const std::stop_token& stopping);
  /// Whether it was woken because all ends.
  bool wait(const std::stop_token& stopping, std::chrono::milliseconds time);

  const ChannelPollSetup setup_;
  std::mutex mutex_;
  std::condition_variable_any woken_;  // by the end only
  std::jthread thread_;                // last: it uses all of the above
};

}  // namespace loam::node
