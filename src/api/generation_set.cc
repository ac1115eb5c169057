#include "api/generation_set.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "env/thread.h"

namespace loam::api {
namespace {

constexpr std::int64_t kLookMsMax = 1000;  // how late a comment may come

}  // namespace

GenerationSet::GenerationSet(env::Clock& clock, std::int64_t silence_ms)
    : clock_(clock),
      silence_ms_(silence_ms),
      thread_(env::start_thread("keep-alive", [this](const std::stop_token& stop) { run(stop); })) {
}

GenerationSet::~GenerationSet() {
  thread_.request_stop();
  wake_.notify_all();
  thread_.join();
  for (const auto& generation : alive()) generation->abandon();
}

void GenerationSet::add(std::weak_ptr<Running> generation) {
  const std::scoped_lock lock(mutex_);
  all_.push_back(std::move(generation));
}

std::vector<std::shared_ptr<Running>> GenerationSet::alive() {
  std::vector<std::shared_ptr<Running>> out;
  const std::scoped_lock lock(mutex_);
  std::erase_if(all_, [&](const std::weak_ptr<Running>& weak) {
    auto generation = weak.lock();
    if (generation == nullptr || generation->is_finished()) return true;
    out.push_back(std::move(generation));
    return false;
  });
  return out;
}

void GenerationSet::run(const std::stop_token& stop) {
  const auto pause =
      std::chrono::milliseconds(std::clamp<std::int64_t>(silence_ms_ / 4, 1, kLookMsMax));
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, pause, [] { return false; });
    }
    const std::int64_t before_ms = clock_.steady_ms() - silence_ms_;
    for (const auto& generation : alive()) generation->keep_alive(before_ms);
  }
}

}  // namespace loam::api
