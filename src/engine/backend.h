// Backend: the narrow door between the scheduler and a library that evaluates a model.
// Twins: LlamaBackend (llama_backend.cc, the one file that knows llama.cpp) and FakeBackend
// (deterministic, no weights). backend_contract_test.cc holds both to what is promised here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/types.h"
#include "env/disk.h"

namespace loam::engine {

/// A place in the KV cache, 0 .. sequences_max-1.
using SequenceId = std::int32_t;

/// One token to evaluate.
struct BatchToken {
  TokenId token = 0;
  std::int32_t position = 0;
  SequenceId sequence = 0;
  bool wants_logits = false;
};

/// Whether text such as "<|im_end|>" becomes a special token.
enum class SpecialTokens { kParse, kPlainText };

/// Lives in the worker process, used by one thread. Never given a path.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const ModelInfo& info() const = 0;

  /// `add_bos`: put the model's first token in front if its vocabulary asks for one.
  virtual Result<std::vector<TokenId>> tokenize(std::string_view text, SpecialTokens special,
                                                bool add_bos) = 0;
  /// The bytes of one token; special tokens have none unless `render_special`.
  virtual std::string piece(TokenId token, bool render_special) = 0;

  /// Applies the model's chat template. @error InvalidArgument  the template refuses these
  /// messages.
  /// @error Unsupported  the model has no template.
  virtual Result<RenderedChat> render(std::span<const ChatMessage> messages,
                                      bool add_generation_prompt) = 0;

  /// Evaluates the batch (at most batch_max() tokens) in one step.
  /// @error ResourceExhausted  no KV room; nothing was evaluated.
  /// @error Internal  the context is broken; the worker should end.
  virtual Result<> decode(std::span<const BatchToken> batch) = 0;
  virtual std::size_t batch_max() const = 0;

  /// The logits of batch entry `index` of the last decode, which had wants_logits; [vocabulary],
  /// natural-log scale, unnormalised; valid until the next decode.
  virtual std::span<const float> logits(std::size_t index) = 0;

  /// Forgets a sequence from `position` on. False if the model cannot forget a part: clear it all.
  virtual bool truncate(SequenceId sequence, std::int32_t position) = 0;
  /// Makes `to` (which must be empty) hold the first `count` positions of `from`.
  virtual void copy(SequenceId from, SequenceId to, std::int32_t count) = 0;

  /// One vector of Euclidean norm 1 for one text. Does not disturb the sequences.
  virtual Result<Embedding> embed(std::span<const TokenId> tokens) = 0;
};

/// Open files in GGUF.
struct ModelFiles {
  env::Fd model;
  env::Fd adapter = {};  // a LoRA for that model; invalid: none
};

/// @error Corrupt / Unsupported  with what the loader says; the file is not named here.
Result<std::unique_ptr<Backend>> load_llama_backend(ModelFiles files, const LoadOptions& options);

/// A model without weights: tokens are bytes (plus specials), and the logits are a fixed hash of
/// the last tokens, so the same prompt always continues in the same way. `step_ms` > 0 makes each
/// decode take that long, for tests of load and of timing. Prompts that contain a line `!crash`,
/// `!hang` make decode abort or sleep for ever, for tests of supervision.
std::unique_ptr<Backend> make_fake_backend(const LoadOptions& options, int step_ms = 0);

}  // namespace loam::engine
