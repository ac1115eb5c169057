// What a gate asks of a model: how likely an answer is, and what it would answer itself.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tuning/examples.h"

namespace loam::gate {

/// -ln p of the answer's tokens in `text`, their mean in millionths of a nat. The text is the only
/// one that is evaluated meanwhile, so that its score does not depend on others.
/// @error Corrupt  the model gives no probabilities (its weights, or its adapter's, are damaged).
///        What the engine returns.
Result<std::int64_t> score(engine::Engine& engine, const tuning::Text& text);

/// What the model answers at temperature 0, alone. The same errors.
Result<std::string> answer(engine::Engine& engine, std::vector<engine::TokenId> prompt,
                           std::uint32_t tokens_max);
/// The same to messages, through the model's chat template.
Result<std::string> answer(engine::Engine& engine, const std::vector<engine::ChatMessage>& messages,
                           std::uint32_t tokens_max);

}  // namespace loam::gate
