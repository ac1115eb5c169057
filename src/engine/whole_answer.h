// A request's answer as one value, for callers that wait for its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace loam::engine {

struct WholeAnswer {
  std::vector<TokenInfo> prompt;  // if the request asked for its logprobs
  std::string text;               // of all choices
};

/// Runs one request to its end. `should_stop` is asked ten times a second.
/// @error what Engine::generate() and RequestFailed say; Cancelled  it was stopped.
Result<WholeAnswer> run_to_end(Engine& engine, GenerateRequest request,
                               const std::function<bool()>& should_stop = {});

}  // namespace loam::engine
