// One step for llama.cpp: rows in, a Result out. Home: llama_backend.cc only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/backend.h"

struct llama_batch;
struct llama_context;

namespace loam::engine {

/// A batch whose memory is made once.
class LlamaBatch {
 public:
  explicit LlamaBatch(std::uint32_t capacity);
  ~LlamaBatch();
  LlamaBatch(const LlamaBatch&) = delete;
  LlamaBatch& operator=(const LlamaBatch&) = delete;

  void clear();
  void add(const BatchToken& entry);
  /// Takes `entries`, at most `capacity`, sorted: where sequences have cells of their own, only
  /// those that follow each other are evaluated together.
  void assign(std::span<const BatchToken> entries);
  /// Where assign() put entry `index`.
  std::int32_t row_of(std::size_t index) const { return row_of_.at(index); }

  /// @error ResourceExhausted  no KV room; nothing was evaluated.
  /// @error Internal  the context is broken.
  Result<> evaluate(llama_context* context) const;

 private:
  std::uint32_t capacity_;
  std::unique_ptr<llama_batch> batch_;
  std::vector<std::size_t> order_;
  std::vector<std::int32_t> row_of_;
};

}  // namespace loam::engine
