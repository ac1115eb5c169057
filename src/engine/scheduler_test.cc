#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "base/format.h"
#include "engine/sampler.h"
#include "engine/scheduler_request.h"

namespace loam::engine {
namespace {

/// The fake model, watched: what is in each batch, how much the cache holds, and failures on
/// demand. Each decode takes 10 ms of `clock`.
class WatchedBackend final : public Backend {
 public:
  explicit WatchedBackend(const LoadOptions& options, std::size_t cells_max = 0,
                          bool tells_cells = true)
      : fake_(make_fake_backend(options)),
        info_(fake_->info()),
        cells_max_(cells_max),
        lengths_(options.sequences_max) {
    if (tells_cells) info_.context_total = static_cast<std::uint32_t>(cells_max);
  }

  const ModelInfo& info() const override { return info_; }
  Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                        bool add_bos) override {
    return fake_->tokenize(text, special, add_bos);
  }
  std::string piece(TokenId token, bool render_special) override {
    return fake_->piece(token, render_special);
  }
  Result<RenderedChat> render(std::span<const ChatMessage> messages, bool prompt) override {
    return fake_->render(messages, prompt);
  }
  Result<> decode(std::span<const BatchToken> batch) override {
    clock.advance_ms(10);
    if (fail_next) return std::unexpected(*std::exchange(fail_next, std::nullopt));
    if (cells_max_ > 0 && used() + batch.size() > cells_max_) {
      ++refused;
      return fail(ErrorCode::kResourceExhausted, "decode: no room");
    }
    std::string text;  // "sequence:rows" of each run of tokens, '*' for each row with logits
    for (std::size_t i = 0; i < batch.size();) {
      std::size_t rows = 0;
      std::size_t stars = 0;
      const SequenceId sequence = batch[i].sequence;
      for (; i < batch.size() && batch[i].sequence == sequence; ++i, ++rows)
        if (batch[i].wants_logits) ++stars;
      text += format("{}{}:{}{}", text.empty() ? "" : " ", sequence, rows, std::string(stars, '*'));
      lengths_[static_cast<std::size_t>(sequence)] += rows;
    }
    batches.push_back(text);
    return fake_->decode(batch);
  }
  std::size_t batch_max() const override { return fake_->batch_max(); }
  std::span<const float> logits(std::size_t index) override {
    if (!spoil_logits) return fake_->logits(index);
    spoilt_.assign(info_.vocabulary, std::nanf(""));
    return spoilt_;
  }
  bool truncate(SequenceId sequence, std::int32_t position) override {
    if (position > 0 && forgets_all_or_nothing) return false;
    auto& length = lengths_[static_cast<std::size_t>(sequence)];
    length = std::min(length, static_cast<std::size_t>(position));
    return fake_->truncate(sequence, position);
  }
  void copy(SequenceId from, SequenceId to, std::int32_t count) override {
    lengths_[static_cast<std::size_t>(to)] = static_cast<std::size_t>(count);
    fake_->copy(from, to, count);
  }
  Result<Embedding> embed(std::span<const TokenId> tokens) override { return fake_->embed(tokens); }

  std::size_t used() const {
    std::size_t sum = 0;
    for (const std::size_t length : lengths_) sum += length;
    return sum;
  }

  env::ManualClock clock;
  std::vector<std::string> batches;
  std::optional<Error> fail_next;
  bool spoil_logits = false;
  bool forgets_all_or_nothing = false;
  int refused = 0;

 private:
  std::unique_ptr<Backend> fake_;
  ModelInfo info_;
  std::size_t cells_max_;
  std::vector<std::size_t> lengths_;
  std::vector<float> spoilt_;
};

/// Everything that one request was told.
struct Told {
  std::optional<PromptScored> scored;
  std::map<std::uint32_t, std::string> text;
  std::map<std::uint32_t, std::vector<TokenInfo>> tokens;
  std::map<std::uint32_t, ChoiceDone> choices;
  std::optional<RequestDone> done;
  std::optional<Error> failed;
  bool ended() const { return done || failed; }
};

class SchedulerTest : public testing::Test {
 protected:
  void open(LoadOptions options, std::size_t cells_max = 0, bool tells_cells = true) {
    scheduler.reset();
    backend = std::make_unique<WatchedBackend>(options, cells_max, tells_cells);
    scheduler = std::make_unique<Scheduler>(
        *backend, options, [this](RequestId id, Event event) { tell(id.value, std::move(event)); });
    told.clear();
  }

  void tell(std::uint64_t id, Event event) {
    Told& to = told[id];
    EXPECT_FALSE(to.ended()) << "nothing follows the last event";
    if (auto* scored = std::get_if<PromptScored>(&event)) {
      EXPECT_TRUE(to.text.empty() && to.choices.empty() && !to.scored);
      to.scored = std::move(*scored);
    } else if (auto* delta = std::get_if<Delta>(&event)) {
      EXPECT_FALSE(to.choices.contains(delta->choice));
      to.text[delta->choice] += delta->text;
      for (auto& token : delta->tokens) to.tokens[delta->choice].push_back(std::move(token));
    } else if (auto* choice = std::get_if<ChoiceDone>(&event)) {
      EXPECT_TRUE(to.choices.emplace(choice->choice, *choice).second);
    } else if (auto* done = std::get_if<RequestDone>(&event)) {
      to.done = *done;
    } else {
      to.failed = std::get<RequestFailed>(event).error;
    }
  }

  GenerateRequest request(std::uint64_t id, std::size_t prompt_tokens, std::uint32_t tokens_max,
                          std::uint32_t choices = 1) {
    GenerateRequest made;
    made.id = RequestId{id};
    for (std::size_t i = 0; i < prompt_tokens; ++i)
      made.prompt.push_back(static_cast<TokenId>('a' + (i * 7 + id * 3) % 26));
    for (std::uint32_t i = 0; i < choices; ++i)
      made.choice_seeds.push_back(derive_seed(
          SeedMode::kInteger, integer_entropy(static_cast<std::int64_t>(id)), {}, {}, i));
    made.tokens_max = tokens_max;
    made.ignore_eos = true;
    return made;
  }

  Result<> submit(GenerateRequest made) {
    return scheduler->submit(std::move(made), backend->clock.steady_ms());
  }
  void step() { ASSERT_TRUE(scheduler->step(backend->clock)); }
  void finish(int steps_max = 5000) {
    for (; scheduler->has_work(); --steps_max) {
      ASSERT_GT(steps_max, 0) << "no end in sight";
      step();
    }
    EXPECT_EQ(backend->used(), 0U) << "everything is freed";
    EXPECT_EQ(scheduler->stats().running, 0U);
    EXPECT_EQ(scheduler->stats().context_used, 0U);
  }
  /// The tokens of each choice when the request has the model for itself.
  std::vector<std::vector<TokenId>> alone(const GenerateRequest& asked) {
    const auto fresh = make_fake_backend({});
    std::vector<std::vector<TokenId>> answers;
    for (const auto& seed : asked.choice_seeds) {
      std::vector<TokenId> text = asked.prompt;
      Sampler sampler(asked.sampling, seed, asked.prompt);
      fresh->truncate(0, 0);
      for (std::size_t at = 0; text.size() < asked.prompt.size() + asked.tokens_max; ++at) {
        const BatchToken entry{text[at], static_cast<std::int32_t>(at), 0, true};
        EXPECT_TRUE(fresh->decode({&entry, 1}));
        if (at + 1 == text.size()) text.push_back(sampler.sample(fresh->logits(0), 0)->token);
      }
      answers.emplace_back(text.begin() + static_cast<std::ptrdiff_t>(asked.prompt.size()),
                           text.end());
    }
    return answers;
  }
  void expect_as_alone(const GenerateRequest& asked) {
    const Told& to = told[asked.id.value];
    ASSERT_TRUE(to.done) << "request " << asked.id.value
                         << (to.failed ? ": " + to.failed->message : "");
    const auto expected = alone(asked);
    ASSERT_EQ(to.choices.size(), expected.size());
    for (std::uint32_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(to.choices.at(i).tokens, expected[i]) << "request " << asked.id.value;
  }

  std::unique_ptr<WatchedBackend> backend;
  std::unique_ptr<Scheduler> scheduler;
  std::map<std::uint64_t, Told> told;
};

using Strings = std::vector<std::string>;

TEST(PromptPart, NeverLeavesOneToken) {
  const auto parts = [](std::uint32_t tokens, std::uint32_t part_max) {
    std::vector<std::uint32_t> made;
    while (tokens > 0) {
      made.push_back(prompt_part(tokens, part_max));
      tokens -= made.back();
    }
    return made;
  };
  using Parts = std::vector<std::uint32_t>;
  EXPECT_EQ(parts(1, 8), (Parts{1}));
  EXPECT_EQ(parts(8, 8), (Parts{8}));
  EXPECT_EQ(parts(9, 8), (Parts{7, 2}));
  EXPECT_EQ(parts(10, 8), (Parts{8, 2}));
  EXPECT_EQ(parts(17, 8), (Parts{8, 7, 2}));
  for (std::uint32_t part_max = 4; part_max < 20; ++part_max)
    for (std::uint32_t tokens = 2; tokens < 100; ++tokens)
      for (const std::uint32_t part : parts(tokens, part_max)) EXPECT_GE(part, 2U);
  EXPECT_EQ(prompt_part(1, 0), 0U);
  EXPECT_EQ(prompt_part(5, 1), 0U);
  EXPECT_EQ(prompt_part(3, 2), 0U);
}

TEST_F(SchedulerTest, EvaluatesOneRequestPartByPart) {
  open({.chunk_tokens = 8});
  const auto asked = request(1, 17, 3);
  ASSERT_TRUE(submit(asked));
  finish();
  EXPECT_EQ(backend->batches, (Strings{"0:8", "0:7", "0:2*", "0:1*", "0:1*"}))
      << "the last token is sampled and not evaluated";
  expect_as_alone(asked);
}

TEST_F(SchedulerTest, RunningAnswersMoveOnWhilePromptsAreEvaluated) {
  open({.chunk_tokens = 8});
  ASSERT_TRUE(submit(request(1, 2, 100)));
  step();
  ASSERT_TRUE(submit(request(2, 18, 2)));
  ASSERT_TRUE(submit(request(3, 5, 2)));
  backend->batches.clear();
  for (int i = 0; i < 6; ++i) step();
  EXPECT_EQ(backend->batches,
            (Strings{"0:1* 1:8", "0:1* 1:8", "0:1* 1:2* 2:5*", "0:1* 1:1* 2:1*", "0:1*", "0:1*"}));
}

TEST_F(SchedulerTest, APartOfOneRowWaitsForMoreRoom) {
  open({.chunk_tokens = 8});
  ASSERT_TRUE(submit(request(1, 7, 1)));
  ASSERT_TRUE(submit(request(2, 5, 1)));
  ASSERT_TRUE(submit(request(3, 1, 1)));
  finish();
  EXPECT_EQ(backend->batches, (Strings{"0:7* 2:1*", "1:5*"})) << "a prompt of one token may";
}

TEST_F(SchedulerTest, AnswersAreTheSameTogetherAsAlone) {
  open({.sequences_max = 16, .chunk_tokens = 32});
  std::vector<GenerateRequest> asked;
  for (std::uint64_t id = 0; id < 16; ++id) {
    asked.push_back(request(id, 3 + id * 5, 10 + static_cast<std::uint32_t>(id)));
    if (id % 3 == 0) asked.back().sampling = {.temperature = 0};
    if (id % 3 == 1)
      asked.back().sampling = {
          .temperature = 800'000, .top_k = 40, .repetition_penalty = 1'200'000};
    ASSERT_TRUE(submit(asked.back()));
  }
  EXPECT_EQ(scheduler->stats().running, 16U);
  finish();
  for (const auto& each : asked) expect_as_alone(each);
}

TEST_F(SchedulerTest, ChoicesShareOneEvaluationOfThePrompt) {
  open({.chunk_tokens = 64});
  const auto asked = request(1, 20, 5, 4);
  ASSERT_TRUE(submit(asked));
  finish();
  EXPECT_EQ(backend->batches[0], "0:20*");
  EXPECT_EQ(backend->batches[1], "0:1* 1:1* 2:1* 3:1*");
  EXPECT_EQ(backend->batches.size(), 5U);
  expect_as_alone(asked);
  EXPECT_EQ(told[1].done->prompt_tokens, 20U);
  EXPECT_EQ(told[1].done->output_tokens, 20U);
  EXPECT_NE(told[1].choices[0].tokens, told[1].choices[1].tokens);
}

TEST_F(SchedulerTest, MoreChoicesThanSequencesComeOneAfterTheOther) {
  for (const bool all_or_nothing : {false, true}) {
    open({.sequences_max = 2, .chunk_tokens = 64});
    backend->forgets_all_or_nothing = all_or_nothing;
    const auto asked = request(1, 20, 5, 7);
    ASSERT_TRUE(submit(asked));
    ASSERT_TRUE(submit(request(2, 4, 2)));
    finish();
    expect_as_alone(asked);
    if (!all_or_nothing) {
      EXPECT_EQ(scheduler->stats().prompt_tokens, 24U) << "the prompt was never evaluated again";
    }
  }
}

TEST_F(SchedulerTest, WaitsInOrderAndRefusesWhenTheQueueIsFull) {
  open({.sequences_max = 2, .queue_max = 2});
  for (std::uint64_t id = 1; id <= 4; ++id) EXPECT_TRUE(submit(request(id, 4, 3)));
  EXPECT_EQ(submit(request(5, 4, 3)).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(scheduler->stats().running, 2U);
  EXPECT_EQ(scheduler->stats().waiting, 2U);
  finish();
  EXPECT_EQ(told.size(), 4U);
  EXPECT_GT(told[3].done->queued_ms, 0);
  EXPECT_EQ(told[1].done->queued_ms, 0);
  open({.sequences_max = 1, .queue_max = 0});
  EXPECT_TRUE(submit(request(1, 4, 3))) << "it need not wait";
  EXPECT_FALSE(submit(request(2, 4, 3)));
}

TEST_F(SchedulerTest, CancelFreesAtOnceAndIsSilent) {
  open({.sequences_max = 2});
  ASSERT_TRUE(submit(request(1, 300, 50)));  // in its prompt
  ASSERT_TRUE(submit(request(2, 4, 50)));    // running
  ASSERT_TRUE(submit(request(3, 4, 50)));    // waiting
  ASSERT_TRUE(submit(request(4, 6, 2)));
  step();
  step();
  for (const std::uint64_t id : {1U, 2U, 3U, 99U}) scheduler->cancel(RequestId{id});
  EXPECT_EQ(backend->used(), 0U);
  const auto heard = told[2].text[0];
  backend->batches.clear();
  finish();
  EXPECT_EQ(backend->batches[0].substr(2), "6*");
  EXPECT_EQ(told[2].text[0], heard);
  EXPECT_FALSE(told[1].ended() || told[2].ended() || told[3].ended());
  EXPECT_TRUE(told[4].done);
}

TEST_F(SchedulerTest, WithoutAnswerThePromptIsEvaluatedOnly) {
  open({});
  ASSERT_TRUE(submit(request(1, 10, 0, 2)));
  finish();
  EXPECT_EQ(backend->batches, Strings{"0:10"});
  EXPECT_TRUE(told[1].done);
  EXPECT_EQ(told[1].choices.size(), 2U);
  EXPECT_EQ(told[1].choices[1].reason, FinishReason::kLength);
  EXPECT_TRUE(told[1].choices[1].tokens.empty());
  EXPECT_EQ(told[1].done->output_tokens, 0U);
}

TEST_F(SchedulerTest, ScoresThePromptInSmallParts) {
  open({.chunk_tokens = 64});
  auto asked = request(1, 65, 0);
  asked.prompt[30] = 258;  // a special token
  asked.prompt_logprobs = true;
  asked.top_logprobs = 2;
  ASSERT_TRUE(submit(asked));
  ASSERT_TRUE(submit(request(2, 50, 1)));
  finish();
  EXPECT_EQ(backend->batches[0], "0:32" + std::string(32, '*') + " 1:32");
  EXPECT_EQ(backend->batches[1], "0:31" + std::string(31, '*') + " 1:18*");
  EXPECT_EQ(backend->batches[2], "0:2*") << "after the last token nothing is wanted";
  ASSERT_TRUE(told[1].scored);
  const auto& tokens = told[1].scored->tokens;
  ASSERT_EQ(tokens.size(), 65U);
  EXPECT_EQ(tokens[0].logprob, 0);
  EXPECT_TRUE(tokens[0].top.empty());
  EXPECT_EQ(tokens[30].bytes, "<|im_start|>");
  const auto fresh = make_fake_backend({});
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].token, asked.prompt[i]);
    if (i > 0) {
      const Sampled expected = score(fresh->logits(0), asked.prompt[i], 2).value();
      EXPECT_EQ(tokens[i].logprob, expected.logprob);
      EXPECT_EQ(tokens[i].top[1].token, expected.top[1].token);
      EXPECT_EQ(tokens[i].top_bytes.size(), 2U);
    }
    const BatchToken entry{asked.prompt[i], static_cast<std::int32_t>(i), 0, true};
    ASSERT_TRUE(fresh->decode({&entry, 1}));
  }
}

TEST_F(SchedulerTest, ScoresAndThenAnswers) {
  open({});
  auto asked = request(1, 40, 4, 2);
  asked.prompt_logprobs = true;
  asked.top_logprobs = 3;
  ASSERT_TRUE(submit(asked));
  finish();
  expect_as_alone(asked);
  EXPECT_EQ(told[1].scored->tokens.size(), 40U);
  for (const auto& [choice, tokens] : told[1].tokens)
    for (const TokenInfo& token : tokens) {
      EXPECT_EQ(token.top.size(), 3U);
      EXPECT_LE(token.logprob, 0);
    }
}

TEST_F(SchedulerTest, EndsAtAnEndTokenAStopStringOrTheLength) {
  open({});
  auto asked = request(1, 5, 30);
  asked.sampling.logit_bias = {{'z', 50'000'000}};
  ASSERT_TRUE(submit(asked));
  asked.id = RequestId{2};
  asked.stop = {"zzzz"};
  ASSERT_TRUE(submit(asked));
  asked.id = RequestId{3};
  asked.sampling.logit_bias = {{259, 50'000'000}};
  ASSERT_TRUE(submit(asked));
  asked.id = RequestId{4};
  asked.ignore_eos = false;
  ASSERT_TRUE(submit(asked));
  finish();
  EXPECT_EQ(told[1].text[0], std::string(30, 'z'));
  EXPECT_EQ(told[1].choices[0].reason, FinishReason::kLength);
  EXPECT_EQ(told[1].tokens[0].size(), 30U);
  EXPECT_EQ(told[2].text[0], "");
  EXPECT_EQ(told[2].choices[0].reason, FinishReason::kStop);
  EXPECT_EQ(told[2].choices[0].tokens.size(), 4U);
  EXPECT_EQ(told[3].choices[0].tokens.size(), 30U);
  EXPECT_EQ(told[3].choices[0].reason, FinishReason::kLength);
  EXPECT_EQ(told[4].choices[0].tokens, (std::vector<TokenId>{259})) << "kept for audits";
  EXPECT_EQ(told[4].choices[0].lp16.size(), 1U);
  EXPECT_TRUE(told[4].tokens[0].empty()) << "and no part of the text";
  EXPECT_EQ(told[4].choices[0].reason, FinishReason::kStop);
}

TEST_F(SchedulerTest, KeepsLogprobsInSixteenBits) {
  EXPECT_EQ(to_lp16(0), 0);
  EXPECT_EQ(to_lp16(-1), -2048);
  EXPECT_EQ(to_lp16(-100), -32768);
  EXPECT_EQ(to_lp16(-INFINITY), -32768);
  open({});
  ASSERT_TRUE(submit(request(1, 9, 40)));
  finish();
  const auto& tokens = told[1].tokens[0];
  const ChoiceDone& done = told[1].choices[0];
  ASSERT_EQ(tokens.size(), done.tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].token, done.tokens[i]);
    EXPECT_EQ(to_lp16(tokens[i].logprob), done.lp16[i]);
  }
}

TEST_F(SchedulerTest, CountsTokensAndTime) {
  open({.chunk_tokens = 10});
  ASSERT_TRUE(submit(request(1, 30, 5)));
  backend->clock.advance_ms(7);
  finish();
  const RequestDone& done = *told[1].done;
  EXPECT_EQ(done.prompt_tokens, 30U);
  EXPECT_EQ(done.cached_tokens, 0U);
  EXPECT_EQ(done.output_tokens, 5U);
  EXPECT_EQ(done.queued_ms, 7);
  EXPECT_EQ(done.prompt_ms, 30);
  EXPECT_EQ(done.generate_ms, 40) << "between the first token and the last";
  EXPECT_EQ(scheduler->stats().steps, 7U);
  EXPECT_EQ(scheduler->stats().prompt_tokens, 30U);
  EXPECT_EQ(scheduler->stats().output_tokens, 5U);
}

TEST_F(SchedulerTest, RefusesWhatCannotBeAnswered) {
  open({.context = 50});
  EXPECT_TRUE(submit(request(1, 40, 10)));
  std::vector<GenerateRequest> bad(8, request(2, 5, 5));
  bad[0].prompt.clear();
  bad[1].prompt[2] = 260;
  bad[2].prompt[2] = -1;
  bad[3].tokens_max = 46;
  bad[4].choice_seeds.clear();
  bad[5].stop = {"a", ""};
  bad[6].top_logprobs = 21;
  bad[7].sampling.top_p = -1;
  for (const auto& each : bad) {
    EXPECT_EQ(submit(each).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(SchedulerTest, WhereTheCacheIsFullEverybodyIsStillAnswered) {
  for (const bool tells_cells : {true, false}) {
    open({.context = 200, .sequences_max = 8, .chunk_tokens = 32}, 230, tells_cells);
    std::vector<GenerateRequest> asked;
    for (std::uint64_t id = 0; id < 12; ++id) {
      asked.push_back(request(id, 20 + id * 6, 60, id % 4 == 0 ? 2 : 1));
      asked.back().prompt_logprobs = id % 3 == 0;
      ASSERT_TRUE(submit(asked.back()));
    }
    finish();
    EXPECT_GT(backend->refused, 0) << "the test is about this";
    for (const auto& each : asked) expect_as_alone(each);
  }
}

TEST_F(SchedulerTest, PromptsWaitForRunningAnswersWhereTheCacheIsFull) {
  open({.context = 100, .sequences_max = 4, .chunk_tokens = 64}, 100, false);
  const auto first = request(1, 60, 30);
  const auto second = request(2, 60, 30);
  ASSERT_TRUE(submit(first));
  step();
  ASSERT_TRUE(submit(second));
  finish();
  expect_as_alone(first);
  expect_as_alone(second);
  EXPECT_EQ(told[1].done->generate_ms, 29 * 10 + backend->refused * 10);
}

TEST_F(SchedulerTest, WhatDoesNotFitAloneFails) {
  open({.context = 300, .sequences_max = 4}, 100, false);
  ASSERT_TRUE(submit(request(1, 90, 60)));
  ASSERT_TRUE(submit(request(2, 200, 5)));
  ASSERT_TRUE(submit(request(3, 20, 5)));
  finish();
  EXPECT_EQ(told[1].failed->code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(told[2].failed->code, ErrorCode::kResourceExhausted);
  expect_as_alone(request(3, 20, 5));
}

TEST_F(SchedulerTest, ABrokenBackendFailsEverything) {
  open({.sequences_max = 1});
  ASSERT_TRUE(submit(request(1, 5, 5)));
  ASSERT_TRUE(submit(request(2, 5, 5)));
  step();
  backend->fail_next = Error{ErrorCode::kInternal, "decode: broken"};
  EXPECT_EQ(scheduler->step(backend->clock).error().code, ErrorCode::kInternal);
  EXPECT_EQ(told[1].failed->code, ErrorCode::kInternal);
  EXPECT_EQ(told[2].failed->code, ErrorCode::kInternal);
  EXPECT_FALSE(scheduler->has_work());
  ASSERT_TRUE(submit(request(3, 5, 5)));
  backend->fail_next = Error{ErrorCode::kUnsupported, "generate: this model only embeds"};
  EXPECT_TRUE(scheduler->step(backend->clock)) << "the worker stays";
  EXPECT_EQ(told[3].failed->code, ErrorCode::kUnsupported);
}

TEST_F(SchedulerTest, UnusableLogitsFailTheRequestThatGotThem) {
  open({});
  ASSERT_TRUE(submit(request(1, 5, 5, 3)));
  step();
  step();
  backend->spoil_logits = true;
  step();
  backend->spoil_logits = false;
  EXPECT_EQ(told[1].failed->code, ErrorCode::kInternal);
  EXPECT_EQ(backend->used(), 0U);
  const auto next = request(2, 5, 5);
  ASSERT_TRUE(submit(next));
  finish();
  expect_as_alone(next);
}

TEST_F(SchedulerTest, NothingIsLostInALongRandomRun) {
  std::mt19937 random(8);
  const auto below = [&](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  open({.context = 150, .sequences_max = 5, .queue_max = 6, .chunk_tokens = 16}, 300);
  std::map<std::uint64_t, GenerateRequest> asked;
  std::set<std::uint64_t> cancelled;
  for (std::uint64_t id = 1; id < 400; ++id) {
    auto next = request(id, 1 + below(100), below(50), 1 + below(4));
    next.prompt_logprobs = below(4) == 0;
    if (submit(next)) asked.emplace(id, std::move(next));
    for (std::size_t i = below(30); i > 0; --i) step();
    if (below(5) == 0) {
      const std::uint64_t victim = 1 + below(id);
      if (asked.contains(victim) && !told[victim].ended()) cancelled.insert(victim);
      scheduler->cancel(RequestId{victim});
    }
  }
  finish();
  EXPECT_GT(asked.size(), 200U);
  for (const auto& [id, each] : asked) {
    if (cancelled.contains(id))
      EXPECT_FALSE(told[id].ended());
    else
      expect_as_alone(each);
  }
}

}  // namespace
}  // namespace loam::engine
