#include "engine/scheduler.h"

#include <algorithm>
#include <deque>
#include <ranges>

#include "base/check.h"
#include "base/format.h"
#include "engine/scheduler_batch.h"
#include "engine/scheduler_request.h"

namespace loam::engine {
namespace {

constexpr std::uint32_t kChunkTokensMin = 4;  // any prompt can be cut into parts of 2 to 4
constexpr std::uint32_t kTopLogprobsMax = 20;
// A choice gets a place only where all that have one may still grow by this much, so that it is
// not pushed out again at once. Chosen.
constexpr std::size_t kGrowthTokens = 32;

Result<> check_request(const GenerateRequest& request, const ModelInfo& info) {
  const auto refuse = [](std::string why) {
    return fail(ErrorCode::kInvalidArgument, "generate: " + std::move(why));
  };
  if (request.prompt.empty()) return refuse("the prompt has no tokens");
  for (const TokenId token : request.prompt)
    if (token < 0 || static_cast<std::uint32_t>(token) >= info.vocabulary)
      return refuse(
          format("token {} of the prompt is outside the vocabulary of {}", token, info.vocabulary));
  if (request.prompt.size() + request.tokens_max > info.context)
    return refuse(format("{} tokens of prompt and {} of answer do not fit a context of {}",
                         request.prompt.size(), request.tokens_max, info.context));
  if (request.choice_seeds.empty()) return refuse("no choices are asked for");
  if (request.top_logprobs > kTopLogprobsMax)
    return refuse(format("{} alternatives for each token are asked for, {} are the most",
                         request.top_logprobs, kTopLogprobsMax));
  if (std::ranges::any_of(request.stop, &std::string::empty))
    return refuse("a stop string is empty");
  return check_sampling(request.sampling, info.vocabulary);
}

}  // namespace

struct Scheduler::State {
  State(Backend& the_backend, const LoadOptions& options, Emit the_emit);

  // Room: which choices are in the cache.
  std::size_t cells_used() const;
  bool has_room(const ActiveRequest& request, const Choice& choice) const;
  void place_choices();
  bool place(ActiveRequest& request, Choice& choice);
  void clear(Choice& choice);
  void hand_over(ActiveRequest& request, Choice& from);
  bool give_up_youngest();

  // The step.
  Result<> evaluate(std::int64_t now_ms);
  Result<> use(const BatchPart& part, std::int64_t now_ms);
  void sweep();
  void fail_all(const Error& error);

  Backend& backend;
  const Emit emit;
  BatchLimits limits;
  std::size_t queue_max;
  std::size_t cells_max;  // 0: as many as are needed
  std::vector<SequenceId> free_sequences;
  std::size_t placed = 0;
  std::deque<std::unique_ptr<ActiveRequest>> waiting;  // oldest first
  std::vector<std::unique_ptr<ActiveRequest>> active;  // oldest first, all older than any waiting
  StepBatch batch;
  EngineStats totals;  // the counters of it
};

Scheduler::State::State(Backend& the_backend, const LoadOptions& options, Emit the_emit)
    : backend(the_backend),
      emit(std::move(the_emit)),
      queue_max(options.queue_max),
      cells_max(backend.info().context_total) {
  const auto batch_max = static_cast<std::uint32_t>(backend.batch_max());
  LOAM_CHECK(batch_max > kChunkTokensMin);
  limits.tokens_max = batch_max;
  limits.chunk_tokens = std::max(options.chunk_tokens, kChunkTokensMin);
  // Room for a part of a prompt is left in every batch.
  const std::uint32_t sequences =
      std::min(backend.info().sequences_max, batch_max - kChunkTokensMin);
  for (std::uint32_t i = sequences; i-- > 0;)
    free_sequences.push_back(static_cast<SequenceId>(i));  // the lowest is taken first
}

std::size_t Scheduler::State::cells_used() const {
  std::size_t used = 0;
  for (const auto& request : active) {
    bool holds_prompt = false;
    for (const Choice& choice : request->choices()) {
      if (!choice.placed()) continue;
      holds_prompt = true;
      used += choice.tokens.size();
    }
    if (holds_prompt) used += request->prompt_size();  // once: choices share it
  }
  return used;
}

bool Scheduler::State::has_room(const ActiveRequest& request, const Choice& choice) const {
  if (free_sequences.empty()) return false;
  if (cells_max == 0 || placed == 0) return true;
  const bool prompt_is_there = std::ranges::any_of(request.choices(), &Choice::placed);
  const std::size_t wanted = choice.tokens.size() + (prompt_is_there ? 0 : request.prompt_size());
  return cells_used() + wanted + kGrowthTokens * (placed + 1) <= cells_max;
}

/// Gives the choice a sequence if there is one; false if there is no room.
bool Scheduler::State::place(ActiveRequest& request, Choice& choice) {
  const auto& choices = request.choices();
  const auto source = std::ranges::find_if(choices, [&](const Choice& other) {
    return other.placed() && other.evaluated >= request.prompt_size();
  });
  // The prompt is evaluated once: the others wait for the choice that does it.
  if (source == choices.end() && std::ranges::any_of(choices, &Choice::placed)) return true;
  if (!has_room(request, choice)) return false;
  choice.sequence = free_sequences.back();
  free_sequences.pop_back();
  ++placed;
  choice.evaluated = 0;
  if (source == choices.end()) return true;
  backend.copy(source->sequence, choice.sequence, static_cast<std::int32_t>(request.prompt_size()));
  choice.evaluated = request.prompt_size();
  return true;
}

/// Gives places to the choices of active requests, then to waiting requests, oldest first; nobody
/// overtakes.
void Scheduler::State::place_choices() {
  for (const auto& request : active) {
    for (Choice& choice : request->choices()) {
      if (choice.done || choice.placed()) continue;
      if (!place(*request, choice)) return;
      if (request->prompt_unfinished()) break;
    }
  }
  while (!waiting.empty()) {
    std::size_t reserved = 0;
    for (const auto& request : active)
      reserved += static_cast<std::size_t>(std::ranges::count_if(
          request->choices(), [](const Choice& c) { return !c.done && !c.placed(); }));
    ActiveRequest& next = *waiting.front();
    if (reserved >= free_sequences.size() || !place(next, next.choices()[0])) return;
    active.push_back(std::move(waiting.front()));
    waiting.pop_front();
  }
}

void Scheduler::State::clear(Choice& choice) {
  if (!choice.placed()) return;
  backend.truncate(choice.sequence, 0);
  free_sequences.push_back(choice.sequence);
  --placed;
  choice.sequence = kNoSequence;
  choice.evaluated = 0;
}

/// Frees the place of a complete choice, for the next one of the same request if the prompt would
/// be lost otherwise.
void Scheduler::State::hand_over(ActiveRequest& request, Choice& from) {
  auto& choices = request.choices();
  const auto next = std::ranges::find_if(
      choices, [](const Choice& choice) { return !choice.done && !choice.placed(); });
  const bool prompt_is_elsewhere = std::ranges::any_of(choices, [&](const Choice& choice) {
    return &choice != &from && choice.placed() && choice.evaluated >= request.prompt_size();
  });
  if (next == choices.end() || prompt_is_elsewhere ||
      !backend.truncate(from.sequence, static_cast<std::int32_t>(request.prompt_size())))
    return clear(from);
  next->sequence = std::exchange(from.sequence, kNoSequence);
  next->evaluated = request.prompt_size();
}

/// Takes the place of the choice that came last; false if it is the only one.
bool Scheduler::State::give_up_youngest() {
  if (placed < 2) return false;
  for (const auto& request : std::views::reverse(active)) {
    for (Choice& choice : std::views::reverse(request->choices())) {
      if (!choice.placed()) continue;
      clear(choice);
      return true;
    }
  }
  return false;
}

/// Evaluates one batch, which is left in `batch`; it is empty if nothing could be.
Result<> Scheduler::State::evaluate(std::int64_t now_ms) {
  for (Prompts prompts = Prompts::kTogether;;) {
    plan_step(active, limits, prompts, batch);
    if (batch.tokens.empty()) return {};
    for (const BatchPart& part : batch.parts) part.request->begin(now_ms);
    Result<> decoded = backend.decode(batch.tokens);
    if (decoded || decoded.error().code != ErrorCode::kResourceExhausted) return decoded;
    if (batch.has_answers && batch.has_prompts) {
      prompts = Prompts::kWait;
    } else if (!give_up_youngest()) {
      batch.parts[0].request->fail_with(std::move(decoded).error());
      sweep();
    }
  }
}

/// Takes what the step yielded for one part.
Result<> Scheduler::State::use(const BatchPart& part, std::int64_t now_ms) {
  ActiveRequest& request = *part.request;
  Choice& choice = *part.choice;
  if (request.ended()) return {};  // another of its choices failed in this step
  if (request.unscored())
    for (std::size_t row = part.first_row; row < part.first_row + part.rows; ++row)
      if (batch.tokens[row].wants_logits)
        LOAM_TRY(request.take_logits(choice, static_cast<std::size_t>(batch.tokens[row].position),
                                     backend.logits(row)));
  choice.evaluated += part.rows;
  if (request.pending(choice) > 0) return {};
  const std::size_t last = part.first_row + part.rows - 1;
  const bool has_logits = batch.tokens[last].wants_logits;
  const std::uint64_t before = request.output_tokens();
  const Result<> advanced =
      request.advance(choice, has_logits ? backend.logits(last) : std::span<const float>(), now_ms);
  totals.output_tokens += request.output_tokens() - before;
  return advanced;
}

/// Frees what complete choices and ended requests held.
void Scheduler::State::sweep() {
  for (const auto& request : active) {
    for (Choice& choice : request->choices()) {
      if (!choice.placed()) continue;
      if (request->ended())
        clear(choice);
      else if (choice.done)
        hand_over(*request, choice);
    }
  }
  std::erase_if(active, [](const auto& request) { return request->ended(); });
}

void Scheduler::State::fail_all(const Error& error) {
  for (const auto& request : active) request->fail_with(error);
  for (const auto& request : waiting) request->fail_with(error);
  sweep();
  waiting.clear();
}

Scheduler::Scheduler(Backend& backend, const LoadOptions& options, Emit emit)
    : state_(std::make_unique<State>(backend, options, std::move(emit))) {}

Scheduler::~Scheduler() = default;

Result<> Scheduler::submit(GenerateRequest request, std::int64_t now_ms) {
  State& state = *state_;
  LOAM_TRY(check_request(request, state.backend.info()));
  state.place_choices();
  const bool starts_at_once = state.waiting.empty() && state.free_sequences.size() > 0;
  if (!starts_at_once && state.waiting.size() >= state.queue_max)
    return fail(ErrorCode::kResourceExhausted,
                format("generate: {} requests wait already", state.waiting.size()));
  state.waiting.push_back(
      std::make_unique<ActiveRequest>(std::move(request), now_ms, state.backend, state.emit));
  state.place_choices();
  return {};
}

void Scheduler::cancel(RequestId id) {
  State& state = *state_;
  const auto is_it = [&](const auto& request) { return request->id() == id; };
  std::erase_if(state.waiting, is_it);
  const auto found = std::ranges::find_if(state.active, is_it);
  if (found == state.active.end()) return;
  for (Choice& choice : (*found)->choices()) state.clear(choice);
  state.active.erase(found);
}

bool Scheduler::has_work() const { return !state_->active.empty() || !state_->waiting.empty(); }

Result<> Scheduler::step(env::Clock& clock) {
  State& state = *state_;
  state.place_choices();
  if (Result<> evaluated = state.evaluate(clock.steady_ms()); !evaluated) {
    state.fail_all(evaluated.error());
    // A model that cannot generate refuses every request, and still embeds.
    if (evaluated.error().code == ErrorCode::kUnsupported) return {};
    return evaluated;
  }
  if (state.batch.tokens.empty()) return {};
  ++state.totals.steps;
  const std::int64_t now_ms = clock.steady_ms();
  for (const BatchPart& part : state.batch.parts) {
    if (part.request->prompt_unfinished()) state.totals.prompt_tokens += part.rows;
    if (Result<> used = state.use(part, now_ms); !used)
      part.request->fail_with(std::move(used).error());
  }
  state.sweep();
  return {};
}

EngineStats Scheduler::stats() const {
  const State& state = *state_;
  EngineStats stats = state.totals;
  stats.running = static_cast<std::uint32_t>(state.placed);
  stats.waiting = static_cast<std::uint32_t>(state.waiting.size());
  stats.context_used = static_cast<std::uint32_t>(state.cells_used());
  const ModelInfo& info = state.backend.info();
  stats.context_total =
      info.context_total > 0 ? info.context_total : info.context * info.sequences_max;
  return stats;
}

}  // namespace loam::engine
