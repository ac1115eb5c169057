// gumbel-v1: Loam's order-free seeded sampler. Pure: the same inputs give the same token anywhere.
// Formats and vectors: docs/formats/gumbel-v1.md, testdata/gumbel_v1.json.
// @source verification.md section 3 and DESIGN.md 8.4, of which docs/formats/gumbel-v1.md is the
// settled text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "crypto/digest.h"
#include "engine/types.h"

namespace loam::engine {

enum class SeedMode : std::uint8_t {
  kNonce = 0,    // 32 random bytes that the asker or the node drew
  kInteger = 1,  // the request's integer `seed`
};

/// SHA-256 of the canonical CBOR of `params`.
crypto::Digest hash_params(const SamplingParams& params);

/// The gumbel-v1 seed of one choice. `entropy` is the nonce, or SHA-256 of the decimal integer.
crypto::Digest derive_seed(SeedMode mode, const crypto::Digest& entropy,
                           const crypto::Digest& model, const crypto::Digest& params,
                           std::uint32_t choice);
crypto::Digest integer_entropy(std::int64_t seed);

/// g(position, token) = -ln(-ln u); in [-3.604, 36.737].
double gumbel_noise(const crypto::Digest& seed, std::uint64_t position, TokenId token);

/// @error InvalidArgument  a value that gumbel-v1 does not allow, or a biased token outside
///                         [0, vocabulary); the message names the parameter.
Result<> check_sampling(const SamplingParams& params, std::uint32_t vocabulary);

/// What one sampling step yields.
struct Sampled {
  TokenId token = 0;
  float logprob = 0;            // of `token`, model's own: before penalties and filters, T = 1
  std::vector<TopLogprob> top;  // the model's best, descending, ties by lower id
};

/// Samples the tokens of one choice. Keeps the counts that penalties need.
class Sampler {
 public:
  /// `params` passes check_sampling. `prompt` counts for the repetition penalty only.
  Sampler(SamplingParams params, const crypto::Digest& seed, std::span<const TokenId> prompt);

  /// Chooses output token number `position()` and counts it. `logits` is [vocabulary]; -inf =
  /// removed.
  /// @error Internal  a NaN among the logits, or nothing left to choose.
  Result<Sampled> sample(std::span<const float> logits, std::uint32_t top_logprobs);
  std::uint64_t position() const { return position_; }

 private:
  struct Count {
    bool in_prompt = false;
    std::uint32_t in_output = 0;
  };

  bool counts() const;  // whether any penalty looks at what came before
  float changed_logit(float logit, std::int64_t bias, const Count& count) const;
  void change_logits(std::span<const float> logits);

  SamplingParams params_;
  crypto::Digest seed_;
  std::unordered_map<TokenId, Count> counts_;
  std::uint64_t position_ = 0;
  // Reused from step to step.
  std::vector<float> peaks_;    // largest logit of each chunk
  std::vector<float> changed_;  // logits with bias and penalties; empty if there are none
  std::vector<float> changed_peaks_;
};

/// ln softmax(logits)[token], and the best `count` of all.
/// @error Internal  a NaN among the logits, or all are -inf.
Result<Sampled> score(std::span<const float> logits, TokenId token, std::uint32_t count);

}  // namespace loam::engine
