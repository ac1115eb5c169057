// ModelDoor: gets a model without making handler threads wait while it loads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/errors.h"
#include "env/clock.h"
#include "env/guarded.h"
#include "env/thread.h"
#include "pool/residency.h"

namespace loam::api {

/// A model that was used within the last seconds is surely loaded: its users go on at once, on the
/// caller's thread. Any other is acquired on a thread of ours, once, however many ask for it.
class ModelDoor {
 public:
  /// Runs once, with the model or with why there is none. May block for a short time.
  using Use = std::function<void(ApiResult<pool::Lease>)>;

  static constexpr std::size_t kLoadersMax = 4;     // models that load at the same time
  static constexpr std::size_t kNamesMax = 64;      // models that wait for a loader: more get 503
  static constexpr std::size_t kWaitingMax = 1024;  // requests that wait for one model: 429
  static constexpr std::int64_t kWarmMs = 3000;     // chosen: shorter than a useful keep_alive

  /// Both must outlive this.
  ModelDoor(pool::Residency& residency, env::Clock& clock) : residency_(residency), clock_(clock) {}

  void open(const std::string& name, std::optional<std::int64_t> keep_alive_s, Use use);
  /// From now on every name is looked up afresh: after an unload or a removal.
  void forget_warm();
  /// From now on what waits is refused; a load under way still ends by itself.
  void close() { closed_ = true; }

 private:
  struct Waiting {
    std::optional<std::int64_t> keep_alive_s;
    Use use;
  };
  struct State {
    std::map<std::string, std::vector<Waiting>> loading;
    std::map<std::string, std::int64_t> warm_until_ms;
  };
  ApiResult<pool::Lease> acquire(const std::string& name, std::optional<std::int64_t> keep_alive_s);
  void load(const std::string& name);

  pool::Residency& residency_;
  env::Clock& clock_;
  env::Guarded<State> state_;
  std::atomic<bool> closed_ = false;
  env::ThreadPool loaders_{"models", kLoadersMax, kNamesMax};
};

}  // namespace loam::api
