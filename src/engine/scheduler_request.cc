#include "engine/scheduler_request.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace loam::engine {

std::int16_t to_lp16(float logprob) {
  return static_cast<std::int16_t>(std::lround(std::clamp(logprob * 2048.0F, -32768.0F, 32767.0F)));
}

ActiveRequest::ActiveRequest(GenerateRequest asked, std::int64_t now_ms, Backend& backend,
                             const std::function<void(RequestId, Event)>& emit)
    : asked_(std::move(asked)), backend_(backend), emit_(emit), submitted_ms_(now_ms) {
  choices_.reserve(asked_.choice_seeds.size());
  for (std::uint32_t i = 0; i < asked_.choice_seeds.size(); ++i) choices_.emplace_back(asked_, i);
}

TokenId ActiveRequest::token(const Choice& choice, std::size_t position) const {
  if (position < prompt_size()) return asked_.prompt[position];
  return choice.tokens[position - prompt_size()];
}

bool ActiveRequest::wants_logits(const Choice& choice, std::size_t position) const {
  if (position + 1 == known(choice)) return asked_.tokens_max > 0;
  return unscored() && position + 1 >= scored_.size();
}

void ActiveRequest::begin(std::int64_t now_ms) {
  if (begun_ms_ < 0) begun_ms_ = now_ms;
  if (!asked_.prompt_logprobs || !scored_.empty()) return;
  Sampled first;
  first.token = asked_.prompt[0];
  scored_.push_back(describe(std::move(first), true));
}

Result<> ActiveRequest::take_logits(Choice& choice, std::size_t position,
                                    std::span<const float> logits) {
  // A choice that lost its place is evaluated again: what is scored already stays.
  if (!unscored() || position + 1 != scored_.size() || position + 1 >= prompt_size()) return {};
  auto scored = LOAM_TRY(score(logits, token(choice, position + 1), asked_.top_logprobs));
  scored_.push_back(describe(std::move(scored), true));
  return {};
}

Result<> ActiveRequest::advance(Choice& choice, std::span<const float> logits,
                                std::int64_t now_ms) {
  if (started_) return sample(choice, logits, now_ms);
  start(now_ms);
  for (Choice& each : choices_) {
    if (asked_.tokens_max == 0)
      complete(each, FinishReason::kLength, now_ms);
    else
      LOAM_TRY(sample(each, logits, now_ms));
  }
  return {};
}

void ActiveRequest::start(std::int64_t now_ms) {
  started_ = true;
  started_ms_ = now_ms;
  if (!asked_.prompt_logprobs) return;
  LOAM_CHECK(scored_.size() == prompt_size());
  send(PromptScored{std::move(scored_)});
}

Result<> ActiveRequest::sample(Choice& choice, std::span<const float> logits, std::int64_t now_ms) {
  auto sampled = LOAM_TRY(choice.sampler.sample(logits, asked_.top_logprobs));
  const TokenId token = sampled.token;
  choice.tokens.push_back(token);
  choice.lp16.push_back(to_lp16(sampled.logprob));
  ++output_tokens_;
  if (ends_generation(token)) {
    complete(choice, FinishReason::kStop, now_ms);
    return {};
  }
  Delta delta;
  delta.choice = choice.index;
  if (choice.text.add(describe(std::move(sampled), false), delta)) send(std::move(delta));
  if (choice.text.stopped())
    complete(choice, FinishReason::kStop, now_ms);
  else if (choice.tokens.size() >= asked_.tokens_max)
    complete(choice, FinishReason::kLength, now_ms);
  return {};
}

void ActiveRequest::complete(Choice& choice, FinishReason reason, std::int64_t now_ms) {
  Delta rest;
  rest.choice = choice.index;
  if (!choice.text.stopped() && choice.text.finish(rest)) send(std::move(rest));
  send(ChoiceDone{choice.index, reason, std::move(choice.tokens), std::move(choice.lp16)});
  choice.tokens.clear();
  choice.done = true;
  if (!std::ranges::all_of(choices_, &Choice::done)) return;
  ended_ = true;
  RequestDone done;
  done.prompt_tokens = static_cast<std::uint32_t>(prompt_size());
  done.output_tokens = output_tokens_;
  done.queued_ms = static_cast<double>(begun_ms_ - submitted_ms_);
  done.prompt_ms = static_cast<double>(started_ms_ - begun_ms_);
  done.generate_ms = static_cast<double>(now_ms - started_ms_);
  send(done);
}

void ActiveRequest::fail_with(Error error) {
  if (ended_) return;
  ended_ = true;
  send(RequestFailed{std::move(error)});
}

TokenInfo ActiveRequest::describe(Sampled sampled, bool render_special) {
  TokenInfo info;
  info.token = sampled.token;
  info.bytes = backend_.piece(sampled.token, render_special);
  info.logprob = sampled.logprob;
  info.top = std::move(sampled.top);
  for (const TopLogprob& top : info.top) info.top_bytes.push_back(backend_.piece(top.token, true));
  return info;
}

bool ActiveRequest::ends_generation(TokenId token) const {
  return !asked_.ignore_eos &&
         std::ranges::find(backend_.info().end_tokens, token) != backend_.info().end_tokens.end();
}

}  // namespace loam::engine
