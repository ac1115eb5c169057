// The threads of a training run: always the same few, handed one piece of work after another.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace loam::train {

/// A parallel loop that never changes a result: each call of the body writes what is its own, and
/// which thread makes the call shows in nothing. Nobody spins: a trainer shares the machine.
class Team {
 public:
  /// `index` counts the calls; `worker`, below threads(), names the thread, for scratch memory.
  using Body = std::function<void(std::size_t index, std::size_t worker)>;

  /// `threads` counts the caller of run() too.
  explicit Team(std::size_t threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  std::size_t threads() const { return others_.size() + 1; }

  /// Calls `body(i, worker)` once for each i below `count`; returns when all have returned. If a
  /// body finds no memory, the rest is left out, and std::bad_alloc comes out of here, on whatever
  /// thread it was: a limit that the owner set ends a run, and the run says so.
  /// @thread one caller at a time, and none from within a body.
  void run(std::size_t count, const Body& body);

  /// The same over `count` rows in runs of consecutive ones: `body(from, to)`.
  void run_rows(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body);

 private:
  void serve(std::size_t worker);
  void take_all(std::size_t worker);

  std::mutex mutex_;
  std::condition_variable changed_;  // to the others: there is work, or the end
  std::condition_variable idle_;     // to run(): nobody is at work any more
  const Body* body_ = nullptr;       // run()'s, while it lasts
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::size_t round_ = 0;  // counts the calls of run() that the others take part in
  std::size_t busy_ = 0;
  bool ended_ = false;
  std::exception_ptr no_memory_;  // of this round
  std::vector<std::jthread> others_;
};

}  // namespace loam::train
