// A request under way: its prompt, its choices, and what it tells its asker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/sampler.h"
#include "engine/text_stream.h"
#include "engine/types.h"

namespace loam::engine {

constexpr SequenceId kNoSequence = -1;

/// One of the answers. Its text so far is the prompt and `tokens`; the first `evaluated` of these
/// are in the cache, in `sequence`.
struct Choice {
  Choice(const GenerateRequest& request, std::uint32_t number)
      : index(number),
        sampler(request.sampling, request.choice_seeds[number], request.prompt),
        text(request.stop) {}

  bool placed() const { return sequence != kNoSequence; }

  std::uint32_t index;
  Sampler sampler;
  TextStream text;
  std::vector<TokenId> tokens;
  std::vector<std::int16_t> lp16;
  SequenceId sequence = kNoSequence;
  std::size_t evaluated = 0;
  bool done = false;
};

/// Logprob in units of 1/2048 nat, rounded, saturated. @source docs/formats/gumbel-v1.md.
std::int16_t to_lp16(float logprob);

/// A request from submission to its last event. Knows nothing of other requests.
class ActiveRequest {
 public:
  /// `emit` and `backend` must outlive this.
  ActiveRequest(GenerateRequest asked, std::int64_t now_ms, Backend& backend,
                const std::function<void(RequestId, Event)>& emit);

  const GenerateRequest& asked() const { return asked_; }
  RequestId id() const { return asked_.id; }
  std::size_t prompt_size() const { return asked_.prompt.size(); }
  std::vector<Choice>& choices() { return choices_; }
  const std::vector<Choice>& choices() const { return choices_; }

  /// Token `position` of the choice's text so far.
  TokenId token(const Choice& choice, std::size_t position) const;
  std::size_t known(const Choice& choice) const { return prompt_size() + choice.tokens.size(); }
  /// Tokens that are to be evaluated before the choice can go on.
  std::size_t pending(const Choice& choice) const { return known(choice) - choice.evaluated; }
  /// True while the prompt is evaluated for the first time: only the first choice has work then.
  bool prompt_unfinished() const { return !started_; }
  /// Whether the logits after `position` of a choice are of use.
  bool wants_logits(const Choice& choice, std::size_t position) const;
  /// Whether the prompt's logprobs, as far as they are wanted, are still to come.
  bool unscored() const { return asked_.prompt_logprobs && prompt_unfinished(); }
  /// Every choice is complete, or the request failed.
  bool ended() const { return ended_; }

  /// The first part is about to be evaluated.
  void begin(std::int64_t now_ms);
  /// Uses the logits after `position`, which were just evaluated. @error Internal  unusable logits.
  Result<> take_logits(Choice& choice, std::size_t position, std::span<const float> logits);
  /// A choice's text is evaluated to its end: what follows from that. `logits` are those after the
  /// last token; empty if none were wanted.
  Result<> advance(Choice& choice, std::span<const float> logits, std::int64_t now_ms);
  /// Ends the request with an error, once.
  void fail_with(Error error);

  std::uint64_t output_tokens() const { return output_tokens_; }

 private:
  void start(std::int64_t now_ms);
  void complete(Choice& choice, FinishReason reason, std::int64_t now_ms);
  Result<> sample(Choice& choice, std::span<const float> logits, std::int64_t now_ms);
  TokenInfo describe(Sampled sampled, bool render_special);
  bool ends_generation(TokenId token) const;
  void send(Event event) { emit_(asked_.id, std::move(event)); }

  GenerateRequest asked_;
  Backend& backend_;
  const std::function<void(RequestId, Event)>& emit_;
  std::vector<Choice> choices_;
  std::vector<TokenInfo> scored_;  // the prompt's tokens as far as they have logprobs
  bool started_ = false;           // the prompt is evaluated, all choices have begun
  bool ended_ = false;
  std::uint32_t output_tokens_ = 0;
  std::int64_t submitted_ms_;
  std::int64_t begun_ms_ = -1;
  std::int64_t started_ms_ = 0;
};

}  // namespace loam::engine
