#include "gate/scorer.h"

#include <cmath>
#include <future>
#include <memory>
#include <variant>

namespace loam::gate {
namespace {

struct Reply {
  std::vector<engine::TokenInfo> prompt;
  std::string text;
};

/// Runs one request to its end.
Result<Reply> ask(engine::Engine& engine, engine::GenerateRequest request) {
  struct Waiting {
    Reply reply;
    std::promise<Result<>> done;
  };
  const auto waiting = std::make_shared<Waiting>();
  auto done = waiting->done.get_future();
  request.choice_seeds = {crypto::Digest{}};
  request.sampling.temperature = 0;
  LOAM_TRY(engine.generate(std::move(request), [waiting](engine::Event event) {
    if (auto* scored = std::get_if<engine::PromptScored>(&event))
      waiting->reply.prompt = std::move(scored->tokens);
    if (const auto* delta = std::get_if<engine::Delta>(&event)) waiting->reply.text += delta->text;
    if (std::holds_alternative<engine::RequestDone>(event)) waiting->done.set_value({});
    if (auto* failed = std::get_if<engine::RequestFailed>(&event))
      waiting->done.set_value(std::unexpected(std::move(failed->error)));
  }));
  LOAM_TRY(done.get());
  return std::move(waiting->reply);
}

}  // namespace

Result<std::int64_t> score(engine::Engine& engine, const tuning::Text& text) {
  engine::GenerateRequest request;
  request.prompt.assign(text.tokens.begin(), text.tokens.end());
  request.prompt_logprobs = true;
  const Reply reply = LOAM_TRY(ask(engine, std::move(request)));
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
