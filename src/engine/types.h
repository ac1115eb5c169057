// What is asked of an engine and what it answers. Plain values, no engine's headers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/strong.h"
#include "crypto/digest.h"

namespace loam::engine {

using TokenId = std::int32_t;
using RequestId = Strong<struct RequestIdTag, std::uint64_t>;

/// Parameters of gumbel-v1, whole numbers in units of 1e-6 ("micro") so that what is sampled with,
/// reported and recorded is the same value on every machine. @source DESIGN.md 8.4.
struct SamplingParams {
  std::int64_t temperature = 1'000'000;         // micro; 0: greedy
  std::int64_t top_k = 0;                       // candidates kept; 0: all
  std::int64_t top_p = 1'000'000;               // micro; 1: all
  std::int64_t min_p = 0;                       // micro; 0: all
  std::int64_t repetition_penalty = 1'000'000;  // micro; prompt and output; 1: none
  std::int64_t presence_penalty = 0;            // micro; output only
  std::int64_t frequency_penalty = 0;           // micro; output only
  std::vector<std::pair<TokenId, std::int64_t>> logit_bias =
      {};  // token, micro; ascending, no token twice
  friend bool operator==(const SamplingParams&, const SamplingParams&) = default;
};

struct TopLogprob {
  TokenId token = 0;
  float logprob = 0;  // natural log, before all penalties and filters, T = 1
};

/// One token of a prompt or an answer.
struct TokenInfo {
  TokenId token = 0;
  std::string bytes;            // its piece; not necessarily whole UTF-8
  float logprob = 0;            // as TopLogprob; 0 for a prompt's first token, which has none
  std::vector<TopLogprob> top;  // descending; as many as were asked for
  std::vector<std::string> top_bytes;  // the pieces of `top`, same order
};

enum class FinishReason { kStop, kLength };

/// An answer to be generated. `choices` answers share one prompt.
struct GenerateRequest {
  RequestId id;                 // unique per engine; set by Engine::generate
  std::vector<TokenId> prompt;  // exactly what is evaluated; at least one token
  SamplingParams sampling;
  std::vector<crypto::Digest> choice_seeds;  // gumbel-v1 seed of each choice; at least one
  std::uint32_t tokens_max = 0;              // 0 is allowed: evaluate the prompt only
  std::vector<std::string> stop;             // stop strings, none empty; never part of the answer
  bool ignore_eos = false;
  std::uint32_t top_logprobs = 0;  // alternatives for each token, 0 to 20
  bool prompt_logprobs = false;    // report PromptScored
};

/// Text that is ready to be shown: always whole UTF-8, never part of a stop string.
struct Delta {
  std::uint32_t choice = 0;
  std::string text;
  std::vector<TokenInfo> tokens;  // the tokens whose text ends in `text`, in order
};

/// The prompt's tokens with their logprobs; comes before the first Delta.
struct PromptScored {
  std::vector<TokenInfo> tokens;
};

/// A choice is complete. What a later audit needs; kept private (DESIGN.md 8.3).
struct ChoiceDone {
  std::uint32_t choice = 0;
  FinishReason reason = FinishReason::kStop;
  std::vector<TokenId> tokens;     // all output tokens, end-of-generation token included
  std::vector<std::int16_t> lp16;  // model logprob of each, unit 1/2048 nat, saturated
};

/// The request is complete: last event after all ChoiceDone. Times in milliseconds since
/// submission.
struct RequestDone {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;  // of those, not evaluated again
  std::uint32_t output_tokens = 0;  // over all choices
  double queued_ms = 0;
  double prompt_ms = 0;
  double generate_ms = 0;
};

/// The request failed: last event. Unavailable: the worker died. ResourceExhausted: no room.
struct RequestFailed {
  Error error;
};

using Event = std::variant<PromptScored, Delta, ChoiceDone, RequestDone, RequestFailed>;

/// A message as the chat template sees it.
struct ChatMessage {
  std::string role;  // system, user, assistant, tool
  std::string content;
  std::string name;  // optional
};

struct RenderedChat {
  std::string text;               // the whole prompt
  std::vector<TokenId> tokens;    // of `text`, special tokens parsed
  std::vector<std::string> stop;  // further stop strings that the template asks for
};

/// What a loaded model is.
struct ModelInfo {
  std::string architecture;  // e.g. "llama"
  std::string description;   // e.g. "llama 135M Q4_1"
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::uint32_t context_trained = 0;  // tokens
  std::uint32_t context = 0;          // tokens one sequence may hold here, prompt and answer
  std::uint32_t context_total = 0;    // tokens (KV cells) that all sequences share; 0: no limit
  std::uint32_t sequences_max = 0;    // that run at the same time
  std::uint32_t vocabulary = 0;       // tokens
  std::uint32_t embedding_width = 0;
  bool has_chat_template = false;
  std::string chat_template;        // source text, empty if none
  std::string bos, eos, pad;        // texts of special tokens, empty if none
  std::vector<TokenId> end_tokens;  // any of these ends generation
  bool adds_bos = false;
  std::string engine_build;  // hash of pin, flags and compiler
  std::string cpu_class;     // e.g. "x86-64-v3"
};

struct Embedding {
  std::vector<float> vector;  // [embedding_width], Euclidean norm 1
  std::uint32_t tokens = 0;
};

/// How a model is loaded.
struct LoadOptions {
  std::uint32_t context = 4096;  // tokens for each sequence, cut to what the model was trained for
  std::uint32_t sequences_max = 16;  // answers at the same time
  std::uint32_t queue_max = 256;     // requests that wait beyond those
  std::uint32_t threads = 0;         // 0: one per core
  std::uint32_t chunk_tokens = 256;  // prompt tokens in one step, so that running answers move on
  friend bool operator==(const LoadOptions&, const LoadOptions&) = default;
};

/// Gauges and counters since the model was loaded.
struct EngineStats {
  std::uint32_t running = 0;  // sequences that generate
  std::uint32_t waiting = 0;  // requests queued
  std::uint64_t prompt_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t steps = 0;
  std::uint32_t context_used = 0;  // KV cells in use
  std::uint32_t context_total = 0;
};

}  // namespace loam::engine
