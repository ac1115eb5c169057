#include "catalog/pull_meter.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace loam::catalog {
namespace {

constexpr std::int64_t kTellEveryMs = 200;
constexpr std::int64_t kWindowMs = 5000;  // over which the rate is taken
constexpr std::int64_t kSampleEveryMs = 100;
constexpr std::int64_t kWaitMsMax = 8000;
constexpr std::int64_t kWaitSliceMs = 50;

}  // namespace

bool PullMeter::update(PullPhase phase, std::uint64_t done, std::uint64_t total) {
  const bool fresh = !told_ || phase != state_.phase;
  // A download that starts over, and a new phase, are measured from their own beginning.
  if (fresh || done < state_.done) samples_.clear();
  state_.phase = phase;
  state_.done = done;
  state_.total = total;
  const std::int64_t now = clock_.steady_ms();
  measure(now);
  if (fresh || now - told_ms_ >= kTellEveryMs) return tell_now(now);
  return !stopped_;
}

bool PullMeter::tick() {
  const std::int64_t now = clock_.steady_ms();
  if (now - told_ms_ < kTellEveryMs) return !stopped_;
  measure(now);
  return tell_now(now);
}

void PullMeter::measure(std::int64_t now) {
  if (samples_.empty() || now - samples_.back().at_ms >= kSampleEveryMs)
    samples_.push_back({now, state_.done});
  while (samples_.size() > 1 && now - samples_.front().at_ms > kWindowMs) samples_.pop_front();
  const Sample& first = samples_.front();
  const auto elapsed_ms = static_cast<double>(now - first.at_ms);
  state_.bytes_per_s =
      elapsed_ms > 0 ? static_cast<double>(state_.done - first.bytes) * 1000 / elapsed_ms : 0;
  state_.left_s.reset();
  if (state_.bytes_per_s > 0 && state_.total >= state_.done && state_.total > 0)
    state_.left_s = static_cast<double>(state_.total - state_.done) / state_.bytes_per_s;
}

bool PullMeter::tell_now(std::int64_t now) {
  told_ = true;
  told_ms_ = now;
  if (tell_ && !tell_(state_)) stopped_ = true;
  return !stopped_;
}

void wait_before_retry(int failures, std::int64_t first_ms, PullMeter& meter) {
  std::int64_t left_ms = std::min(kWaitMsMax, first_ms << std::clamp(failures, 0, 10));
  while (left_ms > 0 && meter.tick()) {
    const std::int64_t slice_ms = std::min(left_ms, kWaitSliceMs);
    std::this_thread::sleep_for(std::chrono::milliseconds(slice_ms));
    left_ms -= slice_ms;
  }
}

}  // namespace loam::catalog
