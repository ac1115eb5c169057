// Threads and pools. No detached threads; each is joined by its owner.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "env/queue.h"

namespace loam::env {

/// Runs `body` in a new thread named `name` (15 characters at most). An exception that escapes is
/// logged and ends the process: ours throw nothing, a library's are caught in its home.
[[nodiscard]] std::jthread start_thread(std::string name,
                                        std::function<void(std::stop_token)> body);

/// A fixed number of threads that take jobs from one bounded queue.
class ThreadPool {
 public:
  ThreadPool(const std::string& name, std::size_t threads, std::size_t jobs_max);
  /// Finishes the queued jobs, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False if the queue is full: the caller says "busy" to whoever asked. Thread-safe.
  [[nodiscard]] bool try_run(std::function<void()> job);

 private:
  BoundedQueue<std::function<void()>> jobs_;
  std::vector<std::jthread> threads_;
};

}  // namespace loam::env
