#include "dataset/parallel.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "env/thread.h"

namespace loam::dataset {

void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(threads, count); ++i)
    others.push_back(env::start_thread("dataset", [&](const std::stop_token&) { take(); }));
  take();
}

std::size_t usual_threads() { return std::max(1U, std::jthread::hardware_concurrency()); }

}  // namespace loam::dataset
