// Waiting in tests for what another thread will do.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace loam::http {

/// True once `happened` is; false if it is not within 10 s.
inline bool eventually(const std::function<bool()>& happened) {
  for (int i = 0; i < 10'000; ++i) {
    if (happened()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace loam::http
