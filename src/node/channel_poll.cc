#include "node/channel_poll.h"

#include <sys/types.h>

#include <algorithm>
#include <csignal>

#include "base/log.h"
#include "env/file.h"
#include "env/process.h"
#include "env/thread.h"

namespace loam::node {
namespace {

constexpr std::chrono::milliseconds kLook{200};  // whether the process has ended
constexpr int kLooksMax = 25;                    // until it is killed

bool any_auto(const release::ChannelBook& book) {
  const auto content = book.read();
  if (!content) {
    log::warning("channels", "{}", content.error().message);
    return false;
  }
  return std::ranges::any_of(content->policies, [](const auto& policy) {
    return policy.second.adoption == release::Adoption::kAuto;
  });
}

void end(pid_t child) {
  ::kill(child, SIGTERM);
  for (int looks = 0; !env::ended(child); ++looks) {
    if (looks == kLooksMax) ::kill(child, SIGKILL);
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

void ChannelPoll::start() {
  thread_ = env::start_thread("channels", [this](const std::stop_token& token) { run(token); });
}

bool ChannelPoll::wait(const std::stop_token& stopping, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  woken_.wait_for(lock, stopping, time, [] { return false; });
  return stopping.stop_requested();
}

void ChannelPoll::run(const std::stop_token& stopping) {
  do look(stopping);
  while (!wait(stopping, setup_.every));
}

void ChannelPoll::look(const std::stop_token& stopping) {
  if (!any_auto(setup_.book)) return;
  // Of the last look only: `loam channel ls` has what was decided.
  const env::Path said = setup_.book.folder() / "poll.log";
  static_cast<void>(env::remove_tree(said));
  const auto output = env::open_append(said, 0600);
  if (!output) return log::warning("channels", "{}", output.error().message);
  std::vector<std::string> arguments{"loam", "channel", "poll"};
  if (setup_.attest) arguments.emplace_back("--attest");
  arguments.insert(arguments.end(), setup_.program_options.begin(), setup_.program_options.end());
  const auto child = env::start_program(setup_.program, arguments, *output);
  if (!child) return log::warning("channels", "{}", child.error().message);
  std::optional<int> status;
  while (!(status = env::ended(*child)))
    if (wait(stopping, kLook)) return end(*child);
  if (*status != 0)
    log::warning("channels", "a look at the channels ended with status {}; {} says why", *status,
                 said.string());
}

}  // namespace loam::node
