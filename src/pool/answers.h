// The private store: each answer with what an audit or a later decision to share needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"
#include "engine/sampler.h"
#include "engine/types.h"
#include "env/clock.h"
#include "env/disk.h"

namespace loam::pool {

/// One choice of one reply. @source DESIGN.md 8.3.
struct Answer {
  std::string reply_id;  // "chatcmpl-..."
  std::uint32_t choice = 0;
  std::string caller;  // Caller::id; only it may read the answer
  std::int64_t made_ms = 0;
  std::string model_name;
  crypto::Digest model_sha256{};
  std::string engine_build, cpu_class;
  std::string prompt_json;  // messages or text, as asked
  std::vector<engine::TokenId> prompt_tokens;
  std::vector<engine::TokenId> output_tokens;
  std::vector<std::int16_t> lp16;  // unit 1/2048 nat
  std::string text;
  engine::FinishReason finish = engine::FinishReason::kStop;
  engine::SamplingParams sampling;
  engine::SeedMode seed_mode = engine::SeedMode::kNonce;
  crypto::Digest seed_entropy{};  // nonce, or hash of the integer
};

/// Thread-safe; add() only queues, a thread of the store writes in batches.
class AnswerStore {
 public:
  /// `keep_days` 0: nothing is kept. Older answers are deleted at start and then every hour.
  static Result<std::unique_ptr<AnswerStore>> open(const env::Path& database, int keep_days,
                                                   env::Clock& clock);
  virtual ~AnswerStore() = default;

  virtual void add(Answer answer) = 0;
  /// Waits until everything added so far is on disk.
  virtual void flush() = 0;
  /// @error NotFound  no such answer of this caller.
  virtual Result<Answer> find(const std::string& caller, const std::string& reply_id,
                              std::uint32_t choice) = 0;
  /// Newest first.
  virtual Result<std::vector<Answer>> list(const std::string& caller, std::size_t answers_max) = 0;
  /// Deletes the caller's answers; how many.
  virtual Result<std::size_t> forget_all(const std::string& caller) = 0;
};

}  // namespace loam::pool
