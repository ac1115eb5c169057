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
  std::optional<crypto::Digest> adapter_sha256 = {};
  std::string engine_build, cpu_class;
  std::string prompt_json;      // messages or text, as asked
  std::string template_system;  // the system message that the chat template added; empty: none
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
  /// `keep_days` 0: nothing is kept, and what was kept is deleted. Older answers are deleted at
  /// start and then every hour; deleted text is overwritten on the disk.
  /// @error InvalidArgument  `keep_days` is negative. Else as store::Database::open.
  static Result<std::unique_ptr<AnswerStore>> open(const env::Path& database, int keep_days,
                                                   env::Clock& clock);
  /// Writes what is queued.
  virtual ~AnswerStore() = default;

  /// Never blocks, as engines call it while they generate. If the disk cannot keep up or is full,
  /// the answer is not kept, which the log says: whoever asked has it already.
  virtual void add(Answer answer) = 0;
  /// Waits until everything added so far is on disk (or was refused by it).
  virtual void flush() = 0;
  // These flush first, so that they see every answer that was given.

  /// @error NotFound  no such answer of this caller.
  virtual Result<Answer> find(const std::string& caller, const std::string& reply_id,
                              std::uint32_t choice) = 0;
  /// Newest first.
  virtual Result<std::vector<Answer>> list(const std::string& caller, std::size_t answers_max) = 0;
  /// Deletes one reply, whoever asked, and what of the same person has words of it: earlier and
  /// later turns of the conversation, the same question, quotations; how many. Takes time with the
  /// number of that caller's answers.
  virtual Result<std::size_t> forget_conversation(const std::string& reply_id) = 0;
  /// Deletes the caller's answers; how many.
  virtual Result<std::size_t> forget_all(const std::string& caller) = 0;
  /// Answers since the start that could not be kept.
  virtual std::uint64_t lost() = 0;
};

}  // namespace loam::pool
