#include "api/generation.h"

#include <algorithm>
#include <utility>

#include "api/context_fit.h"
#include "api/logprobs.h"
#include "api/sse.h"
#include "base/format.h"
#include "env/guarded.h"
#include "env/random.h"

namespace loam::api {
namespace {

/// The events of one request come on the engine's thread, keep-alives on another, the start on a
/// handler's: all take `mutex_`, none blocks under it.
class Generation final : public Running, public std::enable_shared_from_this<Generation> {
 public:
  Generation(Context& context, Call call, pool::Lease lease, GenerationRequest request);

  /// Queues all prompts. On an error nothing runs any more.
  ApiResult<> submit();

  void keep_alive(std::int64_t before_ms) override;
  void abandon() override;
  bool is_finished() const override { return finished_; }

 private:
  struct Choice {
    ChoiceText reply;
    std::size_t offset = 0;  // code points sent
  };

  engine::GenerateRequest engine_request(std::size_t prompt) const;
  void on_event(std::size_t prompt, engine::Event event);
  // The rest runs under `mutex_`.
  void handle(std::size_t prompt, engine::Event& event);
  void handle_one(std::size_t prompt, engine::PromptScored& event);
  void handle_one(std::size_t prompt, engine::Delta& event);
  void handle_one(std::size_t prompt, engine::ChoiceDone& event);
  void handle_one(std::size_t prompt, const engine::RequestDone& event);
  void handle_one(std::size_t prompt, const engine::RequestFailed& event);
  void add_text(Choice& choice, std::string_view text, std::vector<engine::TokenInfo> tokens,
                TextOf of);
  void add_echo(std::size_t prompt, const std::vector<engine::TokenInfo>& tokens);
  void open(std::size_t prompt);
  void store(const Choice& choice, engine::ChoiceDone& event, std::size_t prompt);
  void begin();
  void send(std::string frame);
  void finish();
  void count(const engine::RequestDone& event);
  void stop();
  // These run without it: an engine may hold its own lock while it waits for ours.
  void cancel_if_due();
  void cancel_all();

  pool::AnswerStore& answers_;  // not used once finished_
  env::Clock& clock_;           // likewise
  const std::shared_ptr<Metrics> metrics_;
  const Call call_;
  const pool::Lease lease_;
  const GenerationRequest request_;
  ReplyHead head_;
  const engine::SeedMode seed_mode_;
  crypto::Digest entropy_{};
  const bool wants_logprobs_;

  env::Guarded<std::vector<engine::RequestId>> ids_;  // apart: cancelled from I/O threads too
  std::atomic<bool> gone_ = false;                    // the client
  std::atomic<bool> finished_ = false;                // written under mutex_
  std::atomic<bool> cancel_due_ = false;

  std::mutex mutex_;
  bool submitted_ = false;  // until then events wait, so that an error can still be the reply
  std::vector<std::pair<std::size_t, engine::Event>> early_;
  bool begun_ = false;      // the stream's headers are sent
  bool got_token_ = false;  // for time to first token
  std::int64_t sent_ms_ = 0;
  std::vector<Choice> choices_;
  std::vector<bool> echoed_;  // by prompt
  std::size_t prompts_left_ = 0;
  Usage usage_;
};

Generation::Generation(Context& context, Call call, pool::Lease lease, GenerationRequest request)
    : answers_(context.services.answers),
      clock_(context.services.clock),
      metrics_(context.metrics),
      call_(std::move(call)),
      lease_(std::move(lease)),
      request_(std::move(request)),
      seed_mode_(request_.fields.seed ? engine::SeedMode::kInteger : engine::SeedMode::kNonce),
      wants_logprobs_(request_.fields.top_logprobs.has_value()),
      sent_ms_(context.services.clock.steady_ms()),
      prompts_left_(request_.prompts.size()) {
  head_.id = env::random_id(request_.format->id_prefix());
  head_.created_s = clock_.wall_ms() / 1000;
  head_.model = lease_.model().name;
  head_.fingerprint = system_fingerprint(lease_.model(), lease_.engine().info());
  if (request_.fields.seed)
    entropy_ = engine::integer_entropy(*request_.fields.seed);
  else
    env::random_bytes(entropy_);
  echoed_.resize(request_.prompts.size());
  choices_.resize(request_.prompts.size() * request_.fields.n);
  for (std::size_t i = 0; i < choices_.size(); ++i)
    choices_[i].reply.index = static_cast<std::uint32_t>(i);
}

engine::GenerateRequest Generation::engine_request(std::size_t prompt) const {
  const GenerationFields& fields = request_.fields;
  const Prompt& from = request_.prompts[prompt];
  engine::GenerateRequest out;
  out.prompt = from.tokens;
  out.sampling = fields.sampling;
  const crypto::Digest params = engine::hash_params(fields.sampling);
  for (std::uint32_t c = 0; c < fields.n; ++c)
    out.choice_seeds.push_back(
        engine::derive_seed(seed_mode_, entropy_, lease_.model().sha256, params,
                            static_cast<std::uint32_t>(prompt) * fields.n + c));
  const auto room = static_cast<std::uint32_t>(lease_.engine().info().context - from.tokens.size());
  out.tokens_max = fields.tokens_max.value_or(room);
  out.stop = fields.stop;
  out.stop.insert(out.stop.end(), from.stop.begin(), from.stop.end());
  out.ignore_eos = fields.ignore_eos;
  out.top_logprobs = fields.top_logprobs.value_or(0);
  out.prompt_logprobs = from.echo && wants_logprobs_;
  return out;
}

ApiResult<> Generation::submit() {
  const auto self = shared_from_this();
  for (std::size_t prompt = 0; prompt < request_.prompts.size(); ++prompt) {
    const auto id = lease_.engine().generate(
        engine_request(prompt),
        [self, prompt](engine::Event event) { self->on_event(prompt, std::move(event)); });
    if (!id) {
      abandon();
      return refuse(id.error());
    }
    ids_.with([&](auto& ids) { ids.push_back(*id); });
  }
  // Weak: the exchange keeps the callback, and this keeps the exchange.
  call_.exchange->on_disconnect([weak = weak_from_this()] {
    const auto generation = weak.lock();
    if (generation == nullptr) return;
    generation->gone_ = true;
    generation->cancel_all();
  });
  {
    const std::scoped_lock lock(mutex_);
    submitted_ = true;
    for (auto& [prompt, event] : early_) handle(prompt, event);
    early_.clear();
  }
  cancel_if_due();
  return {};
}

void Generation::stop() {
  finished_ = true;
  cancel_due_ = true;
}

void Generation::cancel_if_due() {
  if (cancel_due_.exchange(false)) cancel_all();
}

void Generation::cancel_all() {
  const auto ids = ids_.with([](const auto& all) { return all; });
  for (const engine::RequestId id : ids) lease_.engine().cancel(id);
}

void Generation::abandon() {
  {
    const std::scoped_lock lock(mutex_);
    finished_ = true;
    early_.clear();
  }
  cancel_all();
}

void Generation::on_event(std::size_t prompt, engine::Event event) {
  {
    const std::scoped_lock lock(mutex_);
    if (submitted_)
      handle(prompt, event);
    else if (!finished_)
      early_.emplace_back(prompt, std::move(event));
  }
  cancel_if_due();
}

void Generation::handle(std::size_t prompt, engine::Event& event) {
  if (finished_) return;
  if (gone_) return stop();
  std::visit([&](auto& one) { handle_one(prompt, one); }, event);
}

void Generation::begin() {
  if (begun_ || !request_.fields.stream) return;
  begun_ = true;
  call_.exchange->begin_stream(200, sse_headers());
  for (const Choice& choice : choices_) {
    const codec::Value opening = request_.format->opening(head_, choice.reply.index);
    if (!opening.is_null()) send(sse_data(opening));
  }
}

void Generation::send(std::string frame) {
  sent_ms_ = clock_.steady_ms();
  if (!finished_ && !call_.exchange->write(std::move(frame))) stop();
}

void Generation::keep_alive(std::int64_t before_ms) {
  {
    const std::scoped_lock lock(mutex_);
    if (!submitted_ || finished_ || !request_.fields.stream || sent_ms_ > before_ms) return;
    begin();
    send(sse_comment());
  }
  cancel_if_due();
}

void Generation::add_text(Choice& choice, std::string_view text,
                          std::vector<engine::TokenInfo> tokens, TextOf of) {
  if (!wants_logprobs_) tokens.clear();
  choice.reply.text += text;
  if (!request_.fields.stream) {
    std::ranges::move(tokens, std::back_inserter(choice.reply.tokens));
    return;
  }
  if (text.empty() && tokens.empty()) return;
  const ChunkPart part{choice.reply.index, text, tokens, choice.offset, of, {}};
  send(sse_data(request_.format->chunk(head_, part)));
  choice.offset += count_code_points(text);
}

void Generation::add_echo(std::size_t prompt, const std::vector<engine::TokenInfo>& tokens) {
  const std::string& text = *request_.prompts[prompt].echo;
  echoed_[prompt] = true;
  for (std::uint32_t c = 0; c < request_.fields.n; ++c) {
    Choice& choice = choices_[prompt * request_.fields.n + c];
    choice.reply.echo_bytes = text.size();
    add_text(choice, text, tokens, TextOf::kPrompt);
  }
}

void Generation::handle_one(std::size_t prompt, engine::PromptScored& event) {
  begin();
  if (request_.prompts[prompt].echo) add_echo(prompt, event.tokens);
}

/// The stream has begun, and the prompt is echoed if it must be.
void Generation::open(std::size_t prompt) {
  begin();
  if (request_.prompts[prompt].echo && !echoed_[prompt]) add_echo(prompt, {});
}

void Generation::handle_one(std::size_t prompt, engine::Delta& event) {
  open(prompt);
  if (!got_token_) {
    got_token_ = true;
    const double seconds = static_cast<double>(clock_.steady_ms() - call_.started_ms) / 1000.0;
    metrics_->observe(Metric::kTimeToFirstToken, {{"model", head_.model}}, seconds);
    metrics_->observe(Metric::kGenAiFirstToken,
                      {{"gen_ai_operation_name", request_.format->operation()},
                       {"gen_ai_response_model", head_.model}},
                      seconds);
  }
  add_text(choices_[prompt * request_.fields.n + event.choice], event.text, std::move(event.tokens),
           TextOf::kAnswer);
}

void Generation::handle_one(std::size_t prompt, engine::ChoiceDone& event) {
  open(prompt);
  Choice& choice = choices_[prompt * request_.fields.n + event.choice];
  choice.reply.finish = event.reason;
  if (request_.fields.stream)
    send(sse_data(request_.format->chunk(
        head_,
        ChunkPart{choice.reply.index, {}, {}, choice.offset, TextOf::kAnswer, event.reason})));
  const codec::Value reason = finish_value(event.reason);
  metrics_->add(Metric::kAnswers, {{"model", head_.model}, {"finish_reason", *reason.as_string()}});
  if (request_.fields.keep_answer) store(choice, event, prompt);
}

void Generation::store(const Choice& choice, engine::ChoiceDone& event, std::size_t prompt) {
  const engine::ModelInfo& info = lease_.engine().info();
  pool::Answer answer;
  answer.reply_id = head_.id;
  answer.choice = choice.reply.index;
  answer.caller = call_.caller.id;
  answer.made_ms = clock_.wall_ms();
  answer.model_name = lease_.model().name;
  answer.model_sha256 = lease_.model().sha256;
  answer.engine_build = info.engine_build;
  answer.cpu_class = info.cpu_class;
  answer.prompt_json = request_.prompts[prompt].asked_json;
  answer.prompt_tokens = request_.prompts[prompt].tokens;
  answer.output_tokens = std::move(event.tokens);
  answer.lp16 = std::move(event.lp16);
  answer.text = choice.reply.text.substr(choice.reply.echo_bytes);
  answer.finish = event.reason;
  answer.sampling = request_.fields.sampling;
  answer.seed_mode = seed_mode_;
  answer.seed_entropy = entropy_;
  answers_.add(std::move(answer));
}

void Generation::handle_one(std::size_t, const engine::RequestDone& event) {
  usage_.prompt_tokens += event.prompt_tokens;
  usage_.cached_tokens += event.cached_tokens;
  usage_.output_tokens += event.output_tokens;
  count(event);
  if (--prompts_left_ == 0) finish();
}

void Generation::count(const engine::RequestDone& event) {
  const Labels model{{"model", head_.model}};
  const Labels gen_ai{{"gen_ai_operation_name", request_.format->operation()},
                      {"gen_ai_response_model", head_.model}};
  metrics_->add(Metric::kPromptTokens, model, event.prompt_tokens);
  metrics_->add(Metric::kOutputTokens, model, event.output_tokens);
  metrics_->observe(Metric::kQueueTime, model, event.queued_ms / 1000);
  metrics_->observe(Metric::kPrefillTime, model, event.prompt_ms / 1000);
  metrics_->observe(Metric::kDecodeTime, model, event.generate_ms / 1000);
  metrics_->observe(Metric::kGenAiDuration, gen_ai,
                    static_cast<double>(clock_.steady_ms() - call_.started_ms) / 1000);
  const std::uint32_t later = event.output_tokens / request_.fields.n;
  if (later > 1)
    metrics_->observe(Metric::kGenAiPerToken, gen_ai, event.generate_ms / 1000 / (later - 1));
}

void Generation::finish() {
  begin();
  if (request_.fields.stream) {
    if (request_.fields.include_usage) send(sse_data(request_.format->usage_chunk(head_, usage_)));
    send(sse_done());
    call_.exchange->end();
  } else {
    std::vector<ChoiceText> all;
    for (Choice& choice : choices_) all.push_back(std::move(choice.reply));
    call_.respond_json(200, request_.format->whole(head_, all, usage_));
  }
  finished_ = true;
}

void Generation::handle_one(std::size_t, const engine::RequestFailed& event) {
  const ApiError error(event.error);
  metrics_->add(Metric::kFailures,
                {{"model", head_.model}, {"code", error_code_name(event.error.code)}});
  if (begun_) {
    send(sse_data(codec::Object{{"error", error_body(error)}}));
    call_.exchange->end();
  } else {
    call_.exchange->respond(error_response(error));
  }
  stop();
}

}  // namespace

std::string system_fingerprint(const catalog::Model& model, const engine::ModelInfo& info) {
  crypto::Sha256 hash;
  hash.update(model.sha256);
  hash.update(as_bytes(info.engine_build)).update(as_bytes("\n")).update(as_bytes(info.cpu_class));
  return format("fp_{}", crypto::digest_hex(hash.finish()).substr(0, 16));
}

ApiResult<> start_generation(Context& context, const Call& call, pool::Lease lease,
                             GenerationRequest request) {
  LOAM_TRY(check_fits(request, lease.engine().info()));
  const auto generation =
      std::make_shared<Generation>(context, call, std::move(lease), std::move(request));
  context.generations.add(generation);
  return generation->submit();
}

}  // namespace loam::api
