// The generations under way: one thread that keeps silent streams alive, and a way to end them all.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "env/clock.h"

namespace loam::api {

/// What the set knows of a generation.
class Running {
 public:
  virtual ~Running() = default;
  /// Sends a comment if nothing was sent since `before_ms` (steady clock).
  virtual void keep_alive(std::int64_t before_ms) = 0;
  /// Stops producing and forgets everything that the App owns.
  virtual void abandon() = 0;
  virtual bool is_finished() const = 0;
};

class GenerationSet {
 public:
  /// `clock` must outlive this; `silence_ms` of it pass before a comment is sent.
  GenerationSet(env::Clock& clock, std::int64_t silence_ms);
  /// Abandons all.
  ~GenerationSet();
  GenerationSet(const GenerationSet&) = delete;
  GenerationSet& operator=(const GenerationSet&) = delete;

  /// Weak: the engine that feeds a generation keeps it.
  void add(std::weak_ptr<Running> generation);

 private:
  void run(const std::stop_token& stop);
  std::vector<std::shared_ptr<Running>> alive();

  env::Clock& clock_;
  const std::int64_t silence_ms_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<std::weak_ptr<Running>> all_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace loam::api
