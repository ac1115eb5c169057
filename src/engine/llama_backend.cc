// LlamaBackend: one model, one context for all sequences, driven through libllama's C API.
#include "engine/backend.h"
#include "engine/cpu_class.h"

#ifndef LOAM_HAVE_LLAMA

namespace loam::engine {

Result<std::unique_ptr<Backend>> load_llama_backend(ModelFiles, const LoadOptions&) {
  return fail(ErrorCode::kUnsupported, "load the model: this build has no llama.cpp",
              "configure with LOAM_LLAMA=ON");
}

}  // namespace loam::engine

#else

#include <ggml-cpu.h>
#include <llama-cpp.h>
#include <llama.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <limits>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "engine/kv_cells.h"
#include "engine/llama_batch.h"
#include "engine/llama_chat.h"
#include "engine/llama_log.h"
#include "engine/llama_model.h"

namespace loam::engine {
namespace {

// Rows of one llama_decode; a larger batch goes through in parts. Fewer than the 64 from which the
// attention kernel rounds otherwise, so that an answer has the same bits whoever shares its steps;
// and each row with logits takes two rows of the vocabulary in memory.
// @source docs/adr/0003-kv-layout.md.
constexpr std::uint32_t kRowsMax = 48;
constexpr std::uint32_t kCellsPad = 256;  // the library rounds up to this
constexpr std::uint64_t kCellsMax = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t kThreadsMax = GGML_MAX_N_THREADS;
// How eagerly idle compute threads poll for the next step, 0 to 100.
// @source docs/adr/0003-kv-layout.md.
constexpr std::uint32_t kPoll = 50;

struct ThreadpoolFree {
  void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};
using Threadpool = std::unique_ptr<ggml_threadpool, ThreadpoolFree>;

/// Cores that this process may run on. Reads no file: the worker may open none.
std::uint32_t cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(CPU_COUNT(&allowed), 1));
}

std::uint32_t round_up(std::uint32_t value, std::uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// How many of `left` rows go into the next step: all that fit, but never so many that one row
/// alone is left, since kernels for a single row give other bits.
std::size_t rows_of_next_step(std::size_t left) {
  if (left <= kRowsMax) return left;
  return left == kRowsMax + 1 ? kRowsMax - 1 : kRowsMax;
}

class LlamaBackend final : public Backend {
 public:
  static Result<std::unique_ptr<Backend>> load(ModelFiles files, const LoadOptions& options);

  const ModelInfo& info() const override { return info_; }
  Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                        bool add_bos) override;
  std::string piece(TokenId token, bool render_special) override {
    return llama_piece(model_.get(), token, render_special);
  }
  Result<RenderedChat> render(std::span<const ChatMessage> messages,
                              bool add_generation_prompt) override;
  Result<> decode(std::span<const BatchToken> batch) override;
  std::size_t batch_max() const override { return batch_max_; }
  std::span<const float> logits(std::size_t index) override;
  bool truncate(SequenceId sequence, std::int32_t position) override;
  void copy(SequenceId from, SequenceId to, std::int32_t count) override;
  Result<Embedding> embed(std::span<const TokenId> tokens) override;

 private:
  explicit LlamaBackend(LlamaModel model) : model_(std::move(model)) {}

  Result<> open_chat();
  Result<> open_context(const LoadOptions& options);
  Result<llama_context_ptr> make_context(llama_context_params params) const;
  Result<> decode_in_steps(std::span<const BatchToken> batch);
  void make_room_for(std::size_t rows);
  void forget(std::span<const BatchToken> evaluated);
  Result<> require_embedding_context(std::uint32_t tokens);
  Result<> sum_hidden_states(std::span<const TokenId> tokens, std::vector<float>& sum);
  Result<> model_pooled(std::span<const TokenId> tokens, std::vector<float>& vector);

  // Constant once loaded. The order is that of making; destruction goes the other way.
  LlamaModel model_;
  LlamaAdapter adapter_;  // null: the model as it is
  ModelInfo info_;
  std::unique_ptr<LlamaChat> chat_;  // null: the model has no template, or a broken one
  Error chat_error_;                 // why chat_ is null
  std::uint32_t threads_ = 1;
  Threadpool threadpool_;
  llama_context_ptr context_;
  llama_memory_t memory_ = nullptr;  // context_'s; null: the model only embeds
  std::unique_ptr<LlamaBatch> batch_;
  std::size_t batch_max_ = 0;
  bool shares_cells_ = false;  // all sequences take their cells from one pool

  // Logits of the last decode if it took several steps, one row after another.
  bool in_steps_ = false;
  std::vector<float> kept_rows_;
  std::vector<std::size_t> kept_row_of_;  // where it begins, [batch entry]

  // Made by the first embed().
  Pooling pooling_ = Pooling::kMean;
  llama_context_ptr embedding_context_;
  std::uint32_t embedding_tokens_max_ = 0;
  std::unique_ptr<LlamaBatch> embedding_batch_;
};

Result<std::unique_ptr<Backend>> LlamaBackend::load(ModelFiles files, const LoadOptions& options) {
  LOAM_TRY(require_cpu(probe_cpu()));
  if (options.context == 0 || options.sequences_max == 0 || options.chunk_tokens < 2 ||
      options.sequences_max > llama_max_parallel_sequences()) {
    return fail(ErrorCode::kInvalidArgument,
                format("load the model: context {}, {} sequences, chunks of {} tokens are no "
                       "workable limits",
                       options.context, options.sequences_max, options.chunk_tokens));
  }
  route_llama_log();
  llama_backend_init();
  auto model = LOAM_TRY(open_llama_model(std::move(files.model)));
  std::unique_ptr<LlamaBackend> backend(new LlamaBackend(std::move(model)));
  if (files.adapter.valid())
    backend->adapter_ =
        LOAM_TRY(open_llama_adapter(backend->model_.get(), std::move(files.adapter)));
  backend->info_ = describe_llama_model(backend->model_.get());
  backend->pooling_ = pooling_of(backend->model_.get());
  LOAM_TRY(backend->open_chat());
  LOAM_TRY(backend->open_context(options));
  return std::unique_ptr<Backend>(std::move(backend));
}

/// A model whose template is missing or broken still completes texts: render() says why not.
Result<> LlamaBackend::open_chat() {
  auto chat = LlamaChat::open(model_.get());
  if (!chat) {
    chat_error_ = std::move(chat).error();
    return {};
  }
  chat_ = *std::move(chat);
  info_.has_chat_template = true;
  info_.chat_template = chat_->source();
  return {};
}

Result<llama_context_ptr> LlamaBackend::make_context(llama_context_params params) const {
  params.n_threads = static_cast<std::int32_t>(threads_);
  params.n_threads_batch = params.n_threads;
  params.no_perf = true;
  const LlamaErrors errors;
  std::string reason;
  try {
    llama_context_ptr context(llama_init_from_model(model_.get(), params));
    if (context != nullptr) {
      llama_attach_threadpool(context.get(), threadpool_.get(), nullptr);
      if (adapter_ == nullptr) return context;
      llama_adapter_lora* adapter = adapter_.get();
      float scale = 1;
      if (llama_set_adapters_lora(context.get(), &adapter, 1, &scale) == 0) return context;
      return fail(ErrorCode::kInternal, "use the adapter: the engine refuses it");
    }
    reason = errors.text();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  return fail(ErrorCode::kResourceExhausted,
              format("make room for {} tokens of context: {}", params.n_ctx, reason),
              "load the model with a smaller context, or free memory");
}

Result<> LlamaBackend::open_context(const LoadOptions& options) {
  threads_ = std::min(options.threads == 0 ? cores() : options.threads, kThreadsMax);
  auto pool_params = ggml_threadpool_params_default(static_cast<int>(threads_));
  pool_params.poll = kPoll;
  threadpool_.reset(ggml_threadpool_new(&pool_params));
  if (threadpool_ == nullptr) {
    return fail(ErrorCode::kResourceExhausted,
                format("start {} compute threads: the system refused", threads_));
  }
  info_.sequences_max = options.sequences_max;
  info_.context = options.context;
  if (info_.context_trained > 0) info_.context = std::min(info_.context, info_.context_trained);
  const KvCells cells = kv_cells(info_.context, info_.sequences_max);
  if (cells.count > kCellsMax) {
    return fail(ErrorCode::kInvalidArgument,
                format("load the model: {} tokens of context for {} sequences are too many",
                       info_.context, info_.sequences_max),
                "ask for a smaller context");
  }
  shares_cells_ = cells.shared;
  auto params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(cells.count);
  params.n_seq_max = info_.sequences_max;
  params.kv_unified = shares_cells_;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  params.n_batch = kRowsMax;
  params.n_ubatch = kRowsMax;
  params.n_outputs_max = std::max(kRowsMax, options.sequences_max);
  context_ = LOAM_TRY(make_context(params));
  memory_ = llama_get_memory(context_.get());
  info_.context_total = llama_n_ctx(context_.get());
  batch_ = std::make_unique<LlamaBatch>(kRowsMax);
  batch_max_ = options.chunk_tokens + options.sequences_max;
  return {};
}

Result<std::vector<TokenId>> LlamaBackend::tokenize(std::string_view text, SpecialTokens special,
                                                    bool add_bos) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max() / 4)) {
    return fail(ErrorCode::kInvalidArgument,
                format("tokenise a text of {} bytes: too long", text.size()));
  }
  std::vector<TokenId> tokens(text.size() + 4);  // enough for all but a normalising vocabulary
  auto convert = [&] {
    return llama_tokenize(llama_model_get_vocab(model_.get()), text.data(),
                          static_cast<std::int32_t>(text.size()), tokens.data(),
                          static_cast<std::int32_t>(tokens.size()), add_bos,
                          special == SpecialTokens::kParse);
  };
  try {
    auto count = convert();
    if (count < 0 && count != std::numeric_limits<std::int32_t>::min()) {
      tokens.resize(static_cast<std::size_t>(-count));
      count = convert();
    }
    if (count < 0) {
      return fail(ErrorCode::kInvalidArgument,
                  format("tokenise a text of {} bytes: too many tokens", text.size()));
    }
    tokens.resize(static_cast<std::size_t>(count));
    tokens.shrink_to_fit();
    return tokens;
  } catch (const std::exception&) {  // what it says may quote the text
    return fail(
        ErrorCode::kInvalidArgument,
        format("tokenise a text of {} bytes: this model's tokenizer refuses it", text.size()));
  }
}

Result<RenderedChat> LlamaBackend::render(std::span<const ChatMessage> messages,
                                          bool add_generation_prompt) {
  if (chat_ == nullptr) return std::unexpected(chat_error_);
  auto rendered = LOAM_TRY(chat_->render(messages, add_generation_prompt));
  rendered.tokens = LOAM_TRY(tokenize(rendered.text, SpecialTokens::kParse, true));
  if (info_.adds_bos) rendered.text.insert(0, info_.bos);
  return rendered;
}

Result<> LlamaBackend::decode(std::span<const BatchToken> batch) {
  LOAM_CHECK(!batch.empty() && batch.size() <= batch_max());
  if (memory_ == nullptr) {
    return fail(ErrorCode::kUnsupported, "generate with this model: it only makes embeddings",
                "choose a model that generates");
  }
  for (const auto& entry : batch) {
    if (static_cast<std::uint32_t>(entry.position) < info_.context) continue;
    return fail(ErrorCode::kResourceExhausted,
                format("evaluate a step: sequence {} is full with {} tokens", entry.sequence,
                       info_.context));
  }
  in_steps_ = batch.size() > kRowsMax;
  if (in_steps_) return decode_in_steps(batch);
  make_room_for(0);
  batch_->assign(batch);
  return batch_->evaluate(context_.get());
}

Result<> LlamaBackend::decode_in_steps(std::span<const BatchToken> batch) {
  const auto wanted = std::ranges::count_if(batch, &BatchToken::wants_logits);
  make_room_for(static_cast<std::size_t>(wanted));
  kept_row_of_.assign(batch.size(), 0);
  for (std::size_t begin = 0; begin < batch.size();) {
    const auto step = batch.subspan(begin, rows_of_next_step(batch.size() - begin));
    batch_->assign(step);
    if (auto done = batch_->evaluate(context_.get()); !done) {
      forget(batch.first(begin));
      return done;
    }
    for (std::size_t i = 0; i < step.size(); ++i) {
      if (!step[i].wants_logits) continue;
      const float* row = llama_get_logits_ith(context_.get(), batch_->row_of(i));
      LOAM_CHECK(row != nullptr);
      kept_row_of_[begin + i] = kept_rows_.size();
      kept_rows_.insert(kept_rows_.end(), row, row + info_.vocabulary);
    }
    begin += step.size();
  }
  return {};
}

/// Gives back what scoring a long prompt took once it is no longer needed.
void LlamaBackend::make_room_for(std::size_t rows) {
  const std::size_t floats = rows * info_.vocabulary;
  const std::size_t kept_max = std::size_t{kRowsMax} * info_.vocabulary;
  if (kept_rows_.capacity() > std::max(floats, kept_max)) kept_rows_ = {};
  kept_rows_.clear();
  kept_rows_.reserve(floats);
}

void LlamaBackend::forget(std::span<const BatchToken> evaluated) {
  for (const auto& entry : evaluated) {
    llama_memory_seq_rm(memory_, entry.sequence, entry.position, -1);
  }
}

std::span<const float> LlamaBackend::logits(std::size_t index) {
  if (in_steps_) {
    LOAM_CHECK(index < kept_row_of_.size());
    return std::span(kept_rows_).subspan(kept_row_of_[index], info_.vocabulary);
  }
  const float* row = llama_get_logits_ith(context_.get(), batch_->row_of(index));
  LOAM_CHECK(row != nullptr);
  return {row, info_.vocabulary};
}

bool LlamaBackend::truncate(SequenceId sequence, std::int32_t position) {
  LOAM_CHECK(sequence >= 0 && static_cast<std::uint32_t>(sequence) < info_.sequences_max);
  if (memory_ == nullptr) return true;
  const int window = llama_model_n_swa(model_.get());
  if (window > 0 && position > 0) {
    // A sliding window forgets from the front: what the position looks back on may be gone.
    const auto oldest = llama_memory_seq_pos_min(memory_, sequence);
    if (oldest > std::max(position - window, 0)) return false;
  }
  return llama_memory_seq_rm(memory_, sequence, position, -1);
}

void LlamaBackend::copy(SequenceId from, SequenceId to, std::int32_t count) {
  LOAM_CHECK(from != to && from >= 0 && to >= 0);
  LOAM_CHECK(static_cast<std::uint32_t>(std::max(from, to)) < info_.sequences_max);
  if (memory_ == nullptr) return;
  if (shares_cells_) {
    llama_memory_seq_cp(memory_, from, to, 0, count);
  } else {  // cells are copied, and only all of a sequence's at once
    llama_memory_seq_cp(memory_, from, to, -1, -1);
    llama_memory_seq_rm(memory_, to, count, -1);
  }
}

/// A context apart, so that an embedding takes no cell from an answer; it is as small as the
/// longest text so far allows, since few ever embed a whole context.
Result<> LlamaBackend::require_embedding_context(std::uint32_t tokens) {
  if (embedding_context_ != nullptr && tokens <= embedding_tokens_max_) return {};
  embedding_context_.reset();
  embedding_tokens_max_ = std::max(round_up(tokens, kCellsPad), 2 * kCellsPad);
  auto params = llama_context_default_params();
  params.n_ctx = embedding_tokens_max_;
  params.n_seq_max = 1;
  params.kv_unified = true;
  params.embeddings = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  // The model's own pooling wants the whole text in one step; a mean we can sum up in parts.
  params.n_batch = pooling_ == Pooling::kModel ? embedding_tokens_max_ : kRowsMax;
  params.n_ubatch = params.n_batch;
  params.pooling_type =
      pooling_ == Pooling::kModel ? LLAMA_POOLING_TYPE_UNSPECIFIED : LLAMA_POOLING_TYPE_NONE;
  embedding_context_ = LOAM_TRY(make_context(params));
  embedding_batch_ = std::make_unique<LlamaBatch>(params.n_batch);
  return {};
}

Result<> LlamaBackend::sum_hidden_states(std::span<const TokenId> tokens, std::vector<float>& sum) {
  std::int32_t position = 0;
  while (!tokens.empty()) {
    const auto piece = tokens.first(rows_of_next_step(tokens.size()));
    tokens = tokens.subspan(piece.size());
    embedding_batch_->clear();
    for (const auto token : piece) {
      embedding_batch_->add(
          {.token = token, .position = position++, .sequence = 0, .wants_logits = true});
    }
    LOAM_TRY(embedding_batch_->evaluate(embedding_context_.get()));
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const float* row =
          llama_get_embeddings_ith(embedding_context_.get(), static_cast<std::int32_t>(i));
      if (row == nullptr) return fail(ErrorCode::kInternal, "embed a text: no hidden state came");
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += row[j];
    }
  }
  return {};
}

Result<> LlamaBackend::model_pooled(std::span<const TokenId> tokens, std::vector<float>& vector) {
  embedding_batch_->clear();
  std::int32_t position = 0;
  for (const auto token : tokens) {
    embedding_batch_->add(
        {.token = token, .position = position++, .sequence = 0, .wants_logits = true});
  }
  LOAM_TRY(embedding_batch_->evaluate(embedding_context_.get()));
  const float* pooled = llama_get_embeddings_seq(embedding_context_.get(), 0);
  if (pooled == nullptr) return fail(ErrorCode::kInternal, "embed a text: no vector came");
  std::copy_n(pooled, vector.size(), vector.begin());
  return {};
}

Result<Embedding> LlamaBackend::embed(std::span<const TokenId> tokens) {
  if (pooling_ == Pooling::kNone) {
    return fail(ErrorCode::kUnsupported, "embed a text: this model ranks and does not embed");
  }
  if (tokens.empty() || tokens.size() > info_.context) {
    return fail(ErrorCode::kInvalidArgument,
                format("embed a text of {} tokens: 1 to {} fit", tokens.size(), info_.context),
                "embed shorter pieces");
  }
  LOAM_TRY(require_embedding_context(static_cast<std::uint32_t>(tokens.size())));
  if (auto* memory = llama_get_memory(embedding_context_.get()); memory != nullptr) {
    llama_memory_clear(memory, false);
  }
  Embedding result{.vector = std::vector<float>(info_.embedding_width),
                   .tokens = static_cast<std::uint32_t>(tokens.size())};
  if (pooling_ == Pooling::kModel) {
    LOAM_TRY(model_pooled(tokens, result.vector));
  } else {
    LOAM_TRY(sum_hidden_states(tokens, result.vector));
  }
  double square = 0;
  for (const float x : result.vector) square += double{x} * x;
  if (!(square > 0) || !std::isfinite(square)) {
    return fail(ErrorCode::kInternal, "embed a text: the model gave a vector without a direction");
  }
  const auto scale = 1 / std::sqrt(square);
  for (float& x : result.vector) x = static_cast<float>(x * scale);
  return result;
}

}  // namespace

Result<std::unique_ptr<Backend>> load_llama_backend(ModelFiles files, const LoadOptions& options) {
  return LlamaBackend::load(std::move(files), options);
}

}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
