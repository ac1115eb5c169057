#include "engine/worker_engine.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "base/format.h"
#include "base/utf8.h"
#include "engine/supervisor.h"

namespace loam::engine {
namespace {

// A step of a large model on few cores is long without being stuck: a chunk of 256 tokens through
// a gigabyte of 4-bit weights is about a teraflop. Chosen, for 20 GFLOP/s.
constexpr std::int64_t kStepMsPerGigabyte = 60'000;
/// For the fake engine, which loads nothing.
constexpr std::int64_t kFakeLoadMs = 60'000;

/// A worker that is taken over by its model file may answer anything of the right shape.
Error strange(const std::string& label) {
  return {ErrorCode::kInternal, format("{}: the worker gave an answer that cannot be", label)};
}

/// The address space that loading and serving the model may take: the file, its tensors once more
/// if they are laid out anew, the KV cache, buffers. Generous: it stops a runaway, it does not
/// plan memory.
std::uint64_t memory_bound(std::uint64_t file_bytes, const LoadOptions& options) {
  constexpr std::uint64_t kSlackBytes = 8ULL << 30;
  constexpr std::uint64_t kStacksBytes = 1ULL << 30;  // address space of threads, mostly untouched
  // Keys and values of one token in the largest models without grouped heads.
  constexpr std::uint64_t kTokenBytes = 1ULL << 20;
  const std::uint64_t cells = std::uint64_t{options.context} * options.sequences_max;
  const std::uint64_t wanted = 2 * file_bytes + cells * kTokenBytes + kSlackBytes;
  const long pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return file_bytes + wanted;
  const std::uint64_t machine =
      static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  // Less than the machine has: a hostile template that collects memory must fail in its worker
  // before the kernel has to choose whom to kill.
  return file_bytes + std::min(wanted, machine / 4 * 3 + kStacksBytes);
}

class WorkerEngine final : public Engine {
 public:
  WorkerEngine(std::string label, SupervisionLimits limits, std::unique_ptr<Supervisor> supervisor)
      : label_(std::move(label)), limits_(limits), supervisor_(std::move(supervisor)) {}

  const ModelInfo& info() const override { return supervisor_->info(); }

  Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                        bool add_bos) override {
    if (!is_valid_utf8(text))
      return fail(ErrorCode::kInvalidArgument, label_ + ": tokenize: the text is not UTF-8");
    const auto session = LOAM_TRY(supervisor_->session());
    auto answer = LOAM_TRY(
        session->call<protocol::Tokenized>("tokenize", limits_.call_ms, [&](protocol::CallId id) {
          return protocol::Tokenize{id, std::string(text), special, add_bos};
        }));
    if (!all_known(answer.tokens)) return std::unexpected(strange(label_));
    return std::move(answer.tokens);
  }

  Result<std::string> detokenize(const std::vector<TokenId>& tokens) override {
    LOAM_TRY(check_list(tokens));
    const auto session = LOAM_TRY(supervisor_->session());
    auto answer = LOAM_TRY(session->call<protocol::Detokenized>(
        "detokenize", limits_.call_ms,
        [&](protocol::CallId id) { return protocol::Detokenize{id, tokens}; }));
    return std::move(answer.bytes);
  }

  Result<RenderedChat> render(const std::vector<ChatMessage>& messages,
                              bool add_generation_prompt) override {
    if (messages.size() > protocol::kMessagesMax)
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: render: more than {} messages", label_, protocol::kMessagesMax));
    for (const ChatMessage& m : messages)
      if (m.role.size() > protocol::kNameBytesMax || m.name.size() > protocol::kNameBytesMax)
        return fail(ErrorCode::kInvalidArgument,
                    format("{}: render: a role or a name is longer than {} bytes", label_,
                           protocol::kNameBytesMax));
    const auto session = LOAM_TRY(supervisor_->session());
    auto answer = LOAM_TRY(session->call<protocol::Rendered>(
        "the chat template", limits_.call_ms, [&](protocol::CallId id) {
          return protocol::Render{id, messages, add_generation_prompt};
        }));
    const auto empty = [](const std::string& stop) { return stop.empty(); };
    if (!all_known(answer.chat.tokens) || std::ranges::any_of(answer.chat.stop, empty))
      return std::unexpected(strange(label_));
    return std::move(answer.chat);
  }

  Result<std::vector<Embedding>> embed(const std::vector<std::vector<TokenId>>& inputs) override {
    if (inputs.size() > protocol::kEmbedInputsMax)
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: embed: more than {} inputs", label_, protocol::kEmbedInputsMax));
    for (const auto& input : inputs) LOAM_TRY(check_list(input));
    const auto session = LOAM_TRY(supervisor_->session());
    auto answer = LOAM_TRY(session->call<protocol::Embedded>(
        "embed", limits_.embed_ms,
        [&](protocol::CallId id) { return protocol::Embed{id, inputs}; }));
    const auto wrong = [&](const Embedding& one) {
      return one.vector.size() != info().embedding_width;
    };
    if (answer.embeddings.size() != inputs.size() || std::ranges::any_of(answer.embeddings, wrong))
      return std::unexpected(strange(label_));
    return std::move(answer.embeddings);
  }

  Result<RequestId> generate(GenerateRequest request, EventSink sink) override {
    LOAM_TRY(check(request));
    const auto session = LOAM_TRY(supervisor_->session());
    const RequestId id{next_id_.fetch_add(1)};
    request.id = id;
    LOAM_TRY(session->generate(std::move(request), std::move(sink)));
    return id;
  }

  void cancel(RequestId id) override {
    if (const auto session = supervisor_->session_now()) session->cancel(id);
  }

  EngineStats stats() override {
    const auto session = supervisor_->session_now();
    return session ? session->stats() : EngineStats{};
  }

  bool broken(std::string* why) override { return supervisor_->broken(why); }

 private:
  bool all_known(const std::vector<TokenId>& tokens) const {
    return std::ranges::all_of(tokens, [&](TokenId id) {
      return id >= 0 && static_cast<std::uint32_t>(id) < info().vocabulary;
    });
  }

  Result<> check_list(const std::vector<TokenId>& tokens) const {
    if (tokens.size() > protocol::kTokensMax)
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: more than {} tokens", label_, protocol::kTokensMax));
    if (!all_known(tokens))
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: a token outside the vocabulary of {}", label_, info().vocabulary));
    return {};
  }

  Result<> check(const GenerateRequest& r) const {
    const auto refuse = [&](std::string why) {
      return fail(ErrorCode::kInvalidArgument, format("{}: generate: {}", label_, why));
    };
    if (r.prompt.empty()) return refuse("there is no prompt");
    LOAM_TRY(check_list(r.prompt));
    const std::uint64_t all = std::uint64_t{r.prompt.size()} + r.tokens_max;
    if (all > info().context)
      return refuse(
          format("a prompt of {} tokens and an answer of up to {} do not fit the context "
                 "of {} tokens",
                 r.prompt.size(), r.tokens_max, info().context));
    if (r.choice_seeds.empty() || r.choice_seeds.size() > protocol::kChoicesMax)
      return refuse(format("the number of choices is not 1 to {}", protocol::kChoicesMax));
    if (r.stop.size() > protocol::kStopsMax)
      return refuse(format("more than {} stop strings", protocol::kStopsMax));
    for (const std::string& stop : r.stop)
      if (stop.empty() || !is_valid_utf8(stop))
        return refuse("a stop string is empty or not UTF-8");
    if (r.top_logprobs > protocol::kTopLogprobsMax)
      return refuse(format("more than {} top logprobs", protocol::kTopLogprobsMax));
    std::vector<TokenId> biased;
    for (const auto& [token, bias] : r.sampling.logit_bias) biased.push_back(token);
    LOAM_TRY(check_list(biased));
    if (std::ranges::adjacent_find(biased, std::greater_equal<>()) != biased.end())
      return refuse("logit biases are not in ascending order of their tokens");
    return {};
  }

  const std::string label_;
  const SupervisionLimits limits_;
  const std::unique_ptr<Supervisor> supervisor_;
  std::atomic<std::uint64_t> next_id_{1};
};

}  // namespace

Result<std::unique_ptr<Engine>> start_engine(WorkerLauncher launch, EngineSource source,
                                             std::int64_t load_timeout_ms,
                                             SupervisionLimits limits) {
  const LoadOptions& load = source.load;
  if (load.context == 0 || load.sequences_max == 0 || load.chunk_tokens == 0)
    return fail(
        ErrorCode::kInvalidArgument,
        format("load model {}: context, sequences and chunk must be at least 1", source.name));
  SupervisorSetup setup;
  setup.launch = std::move(launch);
  setup.load_timeout_ms = load_timeout_ms;
  setup.limits = limits;
  setup.stop = std::move(source.stop);
  setup.load.options = source.load;
  // The worker cannot look at the machine any more when it learns this.
  if (setup.load.options.threads == 0)
    setup.load.options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (!source.file.valid()) {
    setup.label = "model " + (source.name.empty() ? std::string("fake") : source.name);
    setup.load.fake = true;
    setup.load.fake_step_ms = static_cast<std::uint32_t>(std::max(0, source.fake_step_ms));
  } else {
    setup.label = format("model {} ({})", source.name, source.path.string());
    setup.files = {std::move(source.file), std::move(source.adapter)};
    const env::FileStamp stamp = LOAM_TRY(env::stamp(setup.files.model));
    setup.load.memory_bytes_max = memory_bound(stamp.size, setup.load.options);
    setup.limits.step_ms +=
        static_cast<std::int64_t>(stamp.size / 1'000'000) * kStepMsPerGigabyte / 1000;
  }
  std::string label = setup.label;
  auto supervisor = LOAM_TRY(Supervisor::start(std::move(setup)));
  return std::make_unique<WorkerEngine>(std::move(label), limits, std::move(supervisor));
}

Result<std::unique_ptr<Engine>> start_worker_engine(const env::Path& program, EngineSource source,
                                                    std::int64_t load_timeout_ms) {
  return start_engine([program] { return launch_process(program); }, std::move(source),
                      load_timeout_ms);
}

Result<std::unique_ptr<Engine>> start_fake_engine(const LoadOptions& options, int step_ms) {
  EngineSource source;
  source.load = options;
  source.fake_step_ms = step_ms;
  return start_engine([] { return launch_thread(); }, std::move(source), kFakeLoadMs);
}

}  // namespace loam::engine
