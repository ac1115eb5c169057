#include "gate/scorer.h"

#include <cmath>

#include "engine/whole_answer.h"

namespace loam::gate {
namespace {

/// Alone and at temperature 0.
Result<engine::WholeAnswer> ask(engine::Engine& engine, engine::GenerateRequest request) {
  request.choice_seeds = {crypto::Digest{}};
  request.sampling.temperature = 0;
  return engine::run_to_end(engine, std::move(request));
}

}  // namespace

Result<std::int64_t> score(engine::Engine& engine, const tuning::Text& text) {
  engine::GenerateRequest request;
  request.prompt.assign(text.tokens.begin(), text.tokens.end());
  request.prompt_logprobs = true;
  const engine::WholeAnswer reply = LOAM_TRY(ask(engine, std::move(request)));
  double sum = 0;
  for (std::size_t i = text.prompt_tokens; i < text.tokens.size() && i < reply.prompt.size(); ++i)
    sum -= static_cast<double>(reply.prompt[i].logprob);
  if (reply.prompt.size() != text.tokens.size() || !std::isfinite(sum))
    return fail(ErrorCode::kCorrupt, "gate: the model gives an answer no probability",
                "its weights or those of its adapter are damaged: not a model to use");
  constexpr double kMillion = 1e6;
  return static_cast<std::int64_t>(sum / static_cast<double>(text.answer_tokens()) * kMillion +
                                   0.5);
}

Result<std::string> answer(engine::Engine& engine, std::vector<engine::TokenId> prompt,
                           std::uint32_t tokens_max) {
  engine::GenerateRequest request;
  request.prompt = std::move(prompt);
  request.tokens_max = tokens_max;
  return LOAM_TRY(ask(engine, std::move(request))).text;
}

Result<std::string> answer(engine::Engine& engine, const std::vector<engine::ChatMessage>& messages,
                           std::uint32_t tokens_max) {
  return answer(engine, LOAM_TRY(engine.render(messages, true)).tokens, tokens_max);
}

}  // namespace loam::gate
