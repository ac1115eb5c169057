// The scheduler: which tokens are evaluated in the next step. Continuous batching with chunked
// prompts. Owns no thread and reads no clock, so that it can be tested step by step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/backend.h"
#include "engine/types.h"

namespace loam::engine {

class Scheduler {
 public:
  /// `emit` gets each event with the id of its request, from within step(). `backend` must outlive
  /// this.
  using Emit = std::function<void(RequestId, Event)>;
  Scheduler(Backend& backend, const LoadOptions& options, Emit emit);
  ~Scheduler();

  /// Queues a request. @error ResourceExhausted  queue_max are waiting. @error InvalidArgument  as
  /// Engine::generate.
  Result<> submit(GenerateRequest request, std::int64_t now_ms);
  /// Frees everything of the request; no event follows.
  void cancel(RequestId id);

  /// True while there is anything to evaluate.
  bool has_work() const;
  /// Evaluates one batch: one token of each running answer first, then prompt chunks of the oldest
  /// requests up to chunk_tokens. A prompt part never has one row, unless the prompt has (1-row
  /// kernels give other bits; reference engines.md 5.2).
  /// @error Internal  the backend is broken; all requests were failed.
  Result<> step(std::int64_t now_ms);

  EngineStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::engine
