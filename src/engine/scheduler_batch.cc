#include "engine/scheduler_batch.h"

#include <algorithm>

#include "engine/scheduler.h"

namespace loam::engine {
namespace {

void append(ActiveRequest& request, Choice& choice, std::size_t rows, StepBatch& batch) {
  batch.parts.push_back({&request, &choice, batch.tokens.size(), rows});
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t position = choice.evaluated + i;
    batch.tokens.push_back({.token = request.token(choice, position),
                            .position = static_cast<std::int32_t>(position),
                            .sequence = choice.sequence,
                            .wants_logits = request.wants_logits(choice, position)});
  }
}

/// True if all but the last token is in the cache, and a single row is therefore no prompt part.
bool is_running(const ActiveRequest& request, const Choice& choice) {
  return request.pending(choice) == 1 && choice.evaluated > 0;
}

}  // namespace

std::uint32_t prompt_part(std::uint32_t tokens_left, std::uint32_t part_max) {
  std::uint32_t rows = std::min(tokens_left, part_max);
  if (rows > 0 && tokens_left - rows == 1) --rows;
  return rows == 1 && tokens_left > 1 ? 0 : rows;  // 0: too little room in this step
}

void plan_step(std::vector<std::unique_ptr<ActiveRequest>>& active, const BatchLimits& limits,
               Prompts prompts, StepBatch& batch) {
  batch.tokens.clear();
  batch.parts.clear();
  for (const auto& request : active)
    for (Choice& choice : request->choices())
      if (choice.placed() && is_running(*request, choice)) append(*request, choice, 1, batch);
  batch.has_answers = !batch.parts.empty();
  batch.has_prompts = false;
  if (prompts == Prompts::kWait) return;

  const std::size_t answers = batch.tokens.size();
  auto room = static_cast<std::uint32_t>(
      std::min<std::size_t>(limits.chunk_tokens, limits.tokens_max - answers));
  std::uint32_t scored_room = kScoredRowsMax;
  for (const auto& request : active) {
    for (Choice& choice : request->choices()) {
      if (!choice.placed() || is_running(*request, choice)) continue;
      const bool scored = request->unscored();
      const auto pending = static_cast<std::uint32_t>(request->pending(choice));
      const std::uint32_t rows = prompt_part(pending, scored ? std::min(room, scored_room) : room);
      if (rows == 0) continue;
      append(*request, choice, rows, batch);
      room -= rows;
      if (scored) scored_room -= rows;
    }
  }
  batch.has_prompts = batch.tokens.size() > answers;
}

}  // namespace loam::engine
