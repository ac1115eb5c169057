// The only door to time.
#pragma once

#include <cstdint>

namespace loam::env {

/// Thread-safe. A twin (ManualClock) stands in for it in tests.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock, milliseconds since 1970-01-01 UTC; may jump. For what people read and store.
  virtual std::int64_t wall_ms() = 0;
  /// Monotonic milliseconds from an unknown start; never goes back. For timeouts and durations.
  virtual std::int64_t steady_ms() = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  std::int64_t wall_ms() override;
  std::int64_t steady_ms() override;
};

/// Stands still until told otherwise. Not thread-safe.
class ManualClock final : public Clock {
 public:
  std::int64_t wall_ms() override { return now_ms_; }
  std::int64_t steady_ms() override { return now_ms_; }
  void advance_ms(std::int64_t by) { now_ms_ += by; }

 private:
  std::int64_t now_ms_ = 1'700'000'000'000;
};

}  // namespace loam::env
