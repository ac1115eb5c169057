#ifdef LOAM_HAVE_LLAMA

#include "engine/llama_batch.h"

#include <llama.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/format.h"

namespace loam::engine {

LlamaBatch::LlamaBatch(std::uint32_t capacity)
    : capacity_(capacity),
      batch_(std::make_unique<llama_batch>(
          llama_batch_init(static_cast<std::int32_t>(capacity), 0, 1))) {}

LlamaBatch::~LlamaBatch() { llama_batch_free(*batch_); }

void LlamaBatch::clear() { batch_->n_tokens = 0; }

void LlamaBatch::add(const BatchToken& entry) {
  LOAM_CHECK(static_cast<std::uint32_t>(batch_->n_tokens) < capacity_);
  const auto i = static_cast<std::size_t>(batch_->n_tokens++);
  batch_->token[i] = entry.token;
  batch_->pos[i] = entry.position;
  batch_->n_seq_id[i] = 1;
  batch_->seq_id[i][0] = entry.sequence;
  batch_->logits[i] = entry.wants_logits ? 1 : 0;
}

void LlamaBatch::assign(std::span<const BatchToken> entries) {
  order_.resize(entries.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::sort(order_, {}, [&](std::size_t i) {
    return std::pair(entries[i].sequence, entries[i].position);
  });
  row_of_.resize(entries.size());
  clear();
  for (std::size_t row = 0; row < order_.size(); ++row) {
    add(entries[order_[row]]);
    row_of_[order_[row]] = static_cast<std::int32_t>(row);
  }
}

Result<> LlamaBatch::evaluate(llama_context* context) const {
  try {
    const int code = llama_decode(context, *batch_);
    if (code == 0) return {};
    if (code == 1) {
      return fail(ErrorCode::kResourceExhausted, "evaluate a step: no room in the KV cache",
                  "ask again when other answers are done");
    }
    return fail(ErrorCode::kInternal, format("evaluate a step: llama_decode gave {}", code));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, format("evaluate a step: {}", error.what()));
  }
}

}  // namespace loam::engine

#endif  // LOAM_HAVE_LLAMA
