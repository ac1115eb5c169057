// What goes into one step.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/backend.h"
#include "engine/scheduler_request.h"

namespace loam::engine {

/// Consecutive tokens of one choice in a batch.
struct BatchPart {
  ActiveRequest* request;
  Choice* choice;
  std::size_t first_row;  // in the batch
  std::size_t rows;
};

enum class Prompts { kTogether, kWait };

/// The tokens of one step, built anew each time in the same memory.
struct StepBatch {
  std::vector<BatchToken> tokens;
  std::vector<BatchPart> parts;
  bool has_answers = false;  // some part is the next token of a running answer
  bool has_prompts = false;
};

struct BatchLimits {
  std::uint32_t tokens_max = 0;  // of the whole batch
  std::uint32_t chunk_tokens = 0;
};

/// Fills `batch`: the next token of each placed choice that is evaluated but for it, then, unless
/// they wait, parts of the other placed choices in order.
void plan_step(std::vector<std::unique_ptr<ActiveRequest>>& active, const BatchLimits& limits,
               Prompts prompts, StepBatch& batch);

}  // namespace loam::engine
