#include "train/team.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "base/check.h"
#include "env/thread.h"

namespace loam::train {

Team::Team(std::size_t threads) {
  LOAM_CHECK(threads >= 1);
  for (std::size_t worker = 1; worker < threads; ++worker)
    others_.push_back(
        env::start_thread("train", [this, worker](const std::stop_token&) { serve(worker); }));
}

Team::~Team() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}  // the threads are joined next: others_ is the last member

void Team::run(std::size_t count, const Body& body) {
  if (others_.empty() || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    LOAM_CHECK(body_ == nullptr);
    body_ = &body;
    count_ = count;
    next_ = 0;
    busy_ = threads();
    ++round_;
  }
  changed_.notify_all();
  take_all(0);
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return busy_ == 0; });
  body_ = nullptr;
  if (no_memory_) std::rethrow_exception(std::exchange(no_memory_, nullptr));
}

void Team::run_rows(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body) {
  constexpr std::size_t kRows = 16;  // chosen: work enough to be worth a hand-out
  run((count + kRows - 1) / kRows,
      [&](std::size_t i, std::size_t) { body(i * kRows, std::min((i + 1) * kRows, count)); });
}

void Team::serve(std::size_t worker) {
  for (std::size_t done = 0;; ++done) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ended_ || round_ != done; });
      if (ended_) return;
    }
    take_all(worker);
  }
}

void Team::take_all(std::size_t worker) {
  std::unique_lock lock(mutex_);
  while (next_ < count_) {
    const std::size_t index = next_++;
    lock.unlock();
    std::exception_ptr no_memory;
    try {
      (*body_)(index, worker);
    } catch (const std::bad_alloc&) {
      no_memory = std::current_exception();
    }
    lock.lock();
    if (!no_memory) continue;
    no_memory_ = std::move(no_memory);
    next_ = count_;
  }
  if (--busy_ == 0) idle_.notify_one();
}

}  // namespace loam::train
