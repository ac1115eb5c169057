// How fast a pull goes and when to say so. Inside this module only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "catalog/pull.h"
#include "env/clock.h"

namespace loam::catalog {

/// Turns bytes into PullProgress, about five times a second. One thread uses it.
class PullMeter {
 public:
  /// Both must outlive this.
  PullMeter(env::Clock& clock, const std::function<bool(const PullProgress&)>& tell)
      : clock_(clock), tell_(tell) {}

  /// A new phase is told at once, a change of the same phase when it is time. False: stop.
  bool update(PullPhase phase, std::uint64_t done, std::uint64_t total);
  /// Tells the last state again if it is time. False: stop.
  bool tick();

  /// True once `tell` asked to stop.
  bool stopped() const { return stopped_; }

 private:
  struct Sample {
    std::int64_t at_ms = 0;
    std::uint64_t bytes = 0;
  };
  void measure(std::int64_t now);
  bool tell_now(std::int64_t now);

  env::Clock& clock_;
  const std::function<bool(const PullProgress&)>& tell_;
  PullProgress state_;
  std::deque<Sample> samples_;  // of the last seconds
  bool told_ = false;           // anything at all
  std::int64_t told_ms_ = 0;
  bool stopped_ = false;
};

/// Waits before a further try, longer after each failure: `first_ms`, then doubled, up to 8 s. Ends
/// early when `meter` is asked to stop.
void wait_before_retry(int failures, std::int64_t first_ms, PullMeter& meter);

}  // namespace loam::catalog
