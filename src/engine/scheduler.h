// The scheduler: which tokens are evaluated in the next step. Continuous batching with chunked
// prompts. Owns no thread and keeps no time, so that it can be tested step by step.
//
//   submit -> waiting -> active: its prompt is evaluated part by part, once for all choices
//                               -> each choice: one token a step -> RequestDone
//
// Files: scheduler_request (a request and its choices), scheduler_batch (what goes into one step),
// scheduler (the queue, room in the cache, and the step itself).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/backend.h"
#include "engine/types.h"
#include "env/clock.h"

namespace loam::engine {

/// Prompt tokens with logprobs in one step: each takes a row of the vocabulary's size.
constexpr std::uint32_t kScoredRowsMax = 32;

/// How a prompt is evaluated while no other prompt is: in parts of `chunk_tokens`, or of
/// kScoredRowsMax if its logprobs are wanted and that is less. Would the last part have one token,
/// it takes another from the part before it: kernels for one row give other bits (reference
/// engines.md 5.2), so a part has one row only if the prompt has. Other prompts make parts shorter;
/// running answers do not. 0: too little room in this step.
std::uint32_t prompt_part(std::uint32_t tokens_left, std::uint32_t part_max);

class Scheduler {
 public:
  /// `emit` gets each event with the id of its request, from within step(); it must not call back.
  /// `backend` must outlive this.
  using Emit = std::function<void(RequestId, Event)>;
  Scheduler(Backend& backend, const LoadOptions& options, Emit emit);
  ~Scheduler();

  /// Queues a request; `now_ms` is `steady_ms` of the clock that step() gets.
  /// @error ResourceExhausted  queue_max are waiting. @error InvalidArgument  as Engine::generate.
  Result<> submit(GenerateRequest request, std::int64_t now_ms);
  /// Frees everything of the request; no event follows.
  void cancel(RequestId id);

  /// True while there is anything to evaluate.
  bool has_work() const;
  /// Evaluates one batch: one token of each running answer first, then prompt parts of the oldest
  /// requests, together up to chunk_tokens.
  ///
  /// Where the cache has no room, prompts wait for running answers; if that does not help, the
  /// youngest choice gives its place up and is evaluated anew when there is room. A request fails
  /// with ResourceExhausted only if it does not fit alone.
  /// @error Internal  the backend is broken; all requests were failed.
  Result<> step(env::Clock& clock);

  EngineStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::engine
