#include "api/generation.h"

#include <algorithm>
#include <utility>

#include "api/context_fit.h"
#include "api/reply_writer.h"
#include "api/shadow.h"
#include "api/shared_answer.h"
#include "api/times.h"
#include "base/format.h"
#include "base/log.h"
#include "env/guarded.h"
#include "env/random.h"

namespace loam::api {
namespace {

constexpr float kLogprobUnit = 2048;  // ChoiceDone::lp16 counts in 1/2048 nat

/// What a reply says of its submission. If that failed, nothing has the id.
codec::Value commons_value(const std::string& id, const ApiResult<commons::Submission>& done) {
  if (done)
    return codec::Object{{"submission", id},
                         {"state", state_name(done->state)},
                         {"publishes_at", rfc3339(done->publishes_ms)}};
  return codec::Object{{"submission", id},
                       {"state", "failed"},
                       {"publishes_at", nullptr},
                       {"error", error_body(done.error())}};
}

/// The events of one request come on the engine's thread, keep-alives on another, the start on a
/// handler's: all take `mutex_`, none blocks under it.
class Generation final : public Running, public std::enable_shared_from_this<Generation> {
 public:
  Generation(Context& context, const Call& call, pool::Lease lease, GenerationRequest request);

  /// Queues all prompts. On an error nothing runs any more.
  ApiResult<> submit();

  void keep_alive(std::int64_t before_ms) override;
  void abandon() override;
  bool is_finished() const override { return finished_; }

 private:
  ReplyHead make_head() const;
  engine::GenerateRequest engine_request(std::size_t prompt) const;
  void on_event(std::size_t prompt, engine::Event event);
  // These run under `mutex_`.
  void handle(std::size_t prompt, engine::Event& event);
  void handle_one(std::size_t prompt, engine::PromptScored& event);
  void handle_one(std::size_t prompt, engine::Delta& event);
  void handle_one(std::size_t prompt, engine::ChoiceDone& event);
  void handle_one(std::size_t prompt, const engine::RequestDone& event);
  void handle_one(std::size_t prompt, const engine::RequestFailed& event);
  void open(std::size_t prompt, std::vector<engine::TokenInfo> tokens);
  std::vector<engine::TokenInfo> end_token(const engine::ChoiceDone& event) const;
  pool::Answer answer_of(std::size_t choice, engine::ChoiceDone& event, std::size_t prompt) const;
  void finish(codec::Value commons);
  void tell_rollouts();
  void count_first_token();
  void count(const engine::RequestDone& event);
  void stop();
  // These run without it: an engine may hold a lock of its own while it waits for ours, and sharing
  // waits for the disk.
  void share();
  ApiResult<commons::Submission> queue_for_sharing();
  void cancel_if_due();
  void cancel_all();

  std::size_t choice_index(std::size_t prompt, std::uint32_t choice) const {
    return prompt * request_.fields.n + choice;
  }
  double seconds_since_arrival() const {
    return static_cast<double>(clock_.steady_ms() - started_ms_) / 1000;
  }
  Labels model_label() const { return {{"model", writer_.head().model}}; }
  Labels gen_ai_labels() const {
    return {{"gen_ai_operation_name", writer_.format().operation()},
            {"gen_ai_response_model", writer_.head().model}};
  }

  Context& context_;            // not used once finished_
  pool::AnswerStore& answers_;  // likewise
  env::Clock& clock_;           // likewise
  commons::Sharing& sharing_;   // likewise, but for what share() takes back
  env::ThreadPool& shares_;     // likewise
  const std::shared_ptr<Metrics> metrics_;
  const http::ExchangePtr exchange_;
  const std::string caller_;
  const std::int64_t started_ms_;
  const pool::Lease lease_;
  GenerationRequest request_;  // constant but for its format, which the writer takes
  const engine::SeedMode seed_mode_;
  crypto::Digest entropy_{};
  const bool wants_logprobs_;

  env::Guarded<std::vector<engine::RequestId>> ids_;  // apart: cancelled from I/O threads too
  std::atomic<bool> gone_ = false;                    // the client
  std::atomic<bool> finished_ = false;                // written under mutex_
  std::atomic<bool> cancel_due_ = false;

  std::mutex mutex_;
  ReplyWriter writer_;
  bool submitted_ = false;  // until then events wait, so that an error can still be the reply
  std::vector<std::pair<std::size_t, engine::Event>> early_;
  bool got_token_ = false;
  std::int64_t sent_ms_;
  std::vector<bool> opened_;  // by prompt
  std::size_t prompts_left_;
  Usage usage_;
  std::optional<pool::Answer> shared_;  // what share() shares; written before it is asked to
};

Generation::Generation(Context& context, const Call& call, pool::Lease lease,
                       GenerationRequest request)
    : context_(context),
      answers_(context.services.answers),
      clock_(context.services.clock),
      sharing_(context.services.sharing),
      shares_(context.shares),
      metrics_(context.metrics),
      exchange_(call.exchange),
      caller_(call.caller.id),
      started_ms_(call.started_ms),
      lease_(std::move(lease)),
      request_(std::move(request)),
      seed_mode_(request_.fields.seed ? engine::SeedMode::kInteger : engine::SeedMode::kNonce),
      wants_logprobs_(request_.fields.top_logprobs.has_value()),
      // In braces, so that the head is made before the format is moved away.
      writer_{call, make_head(), std::move(request_.format),
              request_.fields.stream ? Delivery::kStream : Delivery::kWhole,
              request_.prompts.size() * request_.fields.n},
      sent_ms_(context.services.clock.steady_ms()),
      opened_(request_.prompts.size()),
      prompts_left_(request_.prompts.size()) {
  if (request_.fields.seed)
    entropy_ = engine::integer_entropy(*request_.fields.seed);
  else
    env::random_bytes(entropy_);
}

ReplyHead Generation::make_head() const {
  return ReplyHead{env::random_id(request_.format->id_prefix()), clock_.wall_ms() / 1000,
                   lease_.model().name, system_fingerprint(lease_.model(), lease_.engine().info()),
                   request_.share ? commons::new_submission_id() : std::string()};
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
                            static_cast<std::uint32_t>(choice_index(prompt, c))));
  const std::size_t room = lease_.engine().info().context - from.tokens.size();
  out.tokens_max = fields.tokens_max.value_or(static_cast<std::uint32_t>(room));
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
  exchange_->on_disconnect([weak = weak_from_this()] {
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

void Generation::keep_alive(std::int64_t before_ms) {
  {
    const std::scoped_lock lock(mutex_);
    if (!submitted_ || finished_ || !request_.fields.stream || sent_ms_ > before_ms) return;
    writer_.send_comment();
    sent_ms_ = clock_.steady_ms();
    if (!writer_.is_open()) stop();
  }
  cancel_if_due();
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
  sent_ms_ = clock_.steady_ms();
  if (!writer_.is_open()) stop();
}

/// The first event of a prompt: its echo, if it has one, comes before everything else.
void Generation::open(std::size_t prompt, std::vector<engine::TokenInfo> tokens) {
  writer_.begin();
  const std::optional<std::string>& echo = request_.prompts[prompt].echo;
  if (opened_[prompt]) return;
  opened_[prompt] = true;
  if (!echo) return;
  // A first token that the tokenizer put there is not part of the text that was sent.
  const std::string& bos = lease_.engine().info().bos;
  if (!tokens.empty() && tokens.front().bytes == bos && !echo->starts_with(bos))
    tokens.front().bytes.clear();
  for (std::uint32_t c = 0; c < request_.fields.n; ++c)
    writer_.add(choice_index(prompt, c), *echo, tokens, TextOf::kPrompt);
}

void Generation::handle_one(std::size_t prompt, engine::PromptScored& event) {
  open(prompt, std::move(event.tokens));
}

void Generation::handle_one(std::size_t prompt, engine::Delta& event) {
  open(prompt, {});
  count_first_token();
  if (!wants_logprobs_) event.tokens.clear();
  writer_.add(choice_index(prompt, event.choice), event.text, std::move(event.tokens),
              TextOf::kAnswer);
}

void Generation::handle_one(std::size_t prompt, engine::ChoiceDone& event) {
  open(prompt, {});
  const std::size_t choice = choice_index(prompt, event.choice);
  writer_.close(choice, event.reason, end_token(event));
  Labels labels = model_label();
  const codec::Value reason = finish_value(event.reason);
  labels.emplace_back("finish_reason", *reason.as_string());
  metrics_->add(Metric::kAnswers, labels);
  if (!request_.fields.keep_answer && !request_.share) return;
  pool::Answer answer = answer_of(choice, event, prompt);
  if (request_.share) shared_ = answer;
  if (request_.fields.keep_answer) answers_.add(std::move(answer));
}

/// The token that ended the answer, which has no text and so came with no Delta; none if something
/// else ended it or the reply does not show it.
std::vector<engine::TokenInfo> Generation::end_token(const engine::ChoiceDone& event) const {
  const auto& ends = lease_.engine().info().end_tokens;
  if (!wants_logprobs_ || !writer_.format().shows_end_token() || request_.fields.ignore_eos ||
      event.reason != engine::FinishReason::kStop || event.tokens.empty() || event.lp16.empty() ||
      std::ranges::find(ends, event.tokens.back()) == ends.end())
    return {};
  engine::TokenInfo info;
  info.token = event.tokens.back();
  info.logprob = static_cast<float>(event.lp16.back()) / kLogprobUnit;
  return {std::move(info)};
}

pool::Answer Generation::answer_of(std::size_t choice, engine::ChoiceDone& event,
                                   std::size_t prompt) const {
  const engine::ModelInfo& info = lease_.engine().info();
  const ChoiceText& reply = writer_.choice(choice);
  pool::Answer answer;
  answer.reply_id = writer_.head().id;
  answer.choice = reply.index;
  answer.caller = caller_;
  answer.made_ms = clock_.wall_ms();
  answer.model_name = lease_.model().name;
  answer.model_sha256 = lease_.model().sha256;
  if (lease_.model().adapter) answer.adapter_sha256 = lease_.model().adapter->sha256;
  answer.engine_build = info.engine_build;
  answer.cpu_class = info.cpu_class;
  answer.prompt_json = request_.prompts[prompt].asked_json;
  answer.template_system = request_.prompts[prompt].template_system;
  answer.prompt_tokens = request_.prompts[prompt].tokens;
  answer.output_tokens = std::move(event.tokens);
  answer.lp16 = std::move(event.lp16);
  answer.text = reply.text.substr(reply.echo_bytes);
  answer.finish = event.reason;
  answer.sampling = request_.fields.sampling;
  answer.seed_mode = seed_mode_;
  answer.seed_entropy = entropy_;
  return answer;
}

void Generation::handle_one(std::size_t, const engine::RequestDone& event) {
  usage_.prompt_tokens += event.prompt_tokens;
  usage_.cached_tokens += event.cached_tokens;
  usage_.output_tokens += event.output_tokens;
  count(event);
  if (--prompts_left_ > 0) return;
  tell_rollouts();
  if (!shared_) return finish({});
  if (!shares_.try_run([self = shared_from_this()] { self->share(); }))
    finish(commons_value(writer_.head().submission,
                         refuse(error_of_status(503, "too many answers wait to be shared"))));
}

/// An adapter that is being tried may have answered, or is to answer the same.
void Generation::tell_rollouts() {
  release::Rollouts& rollouts = context_.services.rollouts;
  rollouts.answered(lease_.model().name, false);
  if (request_.prompts.size() > 1 || request_.fields.n > 1) return;
  const auto next = rollouts.unheard(lease_.model().name);
  if (!next) return;
  const ChoiceText& reply = writer_.choice(0);
  answer_unheard(context_, *next, engine_request(0), reply.text.substr(reply.echo_bytes));
}

void Generation::finish(codec::Value commons) {
  writer_.finish(usage_, request_.fields.include_usage, std::move(commons));
  finished_ = true;
}

/// Shares the complete answer, then completes the reply. Until here the submission was no more than
/// an id in this process; if the client does not wait for the end, it stays that.
void Generation::share() {
  const auto is_awaited = [this] { return !finished_ && !gone_; };
  std::optional<ApiResult<commons::Submission>> done;
  if (is_awaited()) done = queue_for_sharing();
  bool delivered = false;
  {
    const std::scoped_lock lock(mutex_);
    if (done && is_awaited()) {
      finish(commons_value(writer_.head().submission, *done));
      delivered = writer_.is_open();
    }
    finished_ = true;
  }
  if (delivered || !done || !*done) return;
  if (const auto taken_back = sharing_.cancel((*done)->id); !taken_back)
    log::warning("api", "a submission whose client has gone stays queued: {}",
                 taken_back.error().message);
}

ApiResult<commons::Submission> Generation::queue_for_sharing() {
  LOAM_TRY(check_standing(sharing_, *request_.share));  // it may be withdrawn by now
  commons::ShareRequest request = LOAM_TRY(share_request(*shared_, *request_.share));
  request.id = writer_.head().submission;
  request.caller = shared_->caller;
  return LOAM_TRY(sharing_.share(request, commons::When::kAfterCooling));
}

void Generation::handle_one(std::size_t, const engine::RequestFailed& event) {
  Labels labels = model_label();
  labels.emplace_back("code", error_code_name(event.error.code));
  metrics_->add(Metric::kFailures, labels);
  if (const auto& adapter = lease_.model().adapter; adapter && !context_.stopping)
    context_.services.rollouts.failed(writer_.head().id, adapter->sha256, event.error.code);
  writer_.fail(event.error);
  stop();
}

void Generation::count_first_token() {
  if (std::exchange(got_token_, true)) return;
  metrics_->observe(Metric::kTimeToFirstToken, model_label(), seconds_since_arrival());
  metrics_->observe(Metric::kGenAiFirstToken, gen_ai_labels(), seconds_since_arrival());
}

void Generation::count(const engine::RequestDone& event) {
  metrics_->add(Metric::kPromptTokens, model_label(), event.prompt_tokens);
  metrics_->add(Metric::kOutputTokens, model_label(), event.output_tokens);
  metrics_->observe(Metric::kQueueTime, model_label(), event.queued_ms / 1000);
  metrics_->observe(Metric::kPrefillTime, model_label(), event.prompt_ms / 1000);
  metrics_->observe(Metric::kDecodeTime, model_label(), event.generate_ms / 1000);
  metrics_->observe(Metric::kGenAiDuration, gen_ai_labels(), seconds_since_arrival());
  const std::uint32_t per_choice = event.output_tokens / request_.fields.n;
  if (per_choice > 1)
    metrics_->observe(Metric::kGenAiPerToken, gen_ai_labels(),
                      event.generate_ms / 1000 / (per_choice - 1));
}

}  // namespace

std::string system_fingerprint(const catalog::Model& model, const engine::ModelInfo& info) {
  crypto::Sha256 hash;
  for (const crypto::Digest& part : model.content()) hash.update(part);
  hash.update(as_bytes(info.engine_build)).update(as_bytes("\n")).update(as_bytes(info.cpu_class));
  return format("fp_{}", crypto::digest_hex(hash.finish()).substr(0, 16));
}

ApiResult<> start_generation(Context& context, const Call& call, pool::Lease lease,
                             GenerationRequest request) {
  LOAM_TRY(check_fits(request, lease.engine().info()));
  if (request.share)
    LOAM_TRY(check_model_licence(lease.model().name, lease.model().licence, *request.share));
  const auto generation =
      std::make_shared<Generation>(context, call, std::move(lease), std::move(request));
  context.generations.add(generation);
  return generation->submit();
}

}  // namespace loam::api
