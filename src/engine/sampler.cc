#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/format.h"
#include "codec/cbor.h"
#include "crypto/chacha.h"
#include "engine/sampler_kernels.h"

namespace loam::engine {
namespace {

constexpr std::int64_t kOne = 1'000'000;  // of the micro units
constexpr double kMicro = 1e6;
constexpr int kUniformBits = 53;
constexpr float kLowest = std::numeric_limits<float>::lowest();  // only -inf is below

struct Candidate {
  float logit;
  TokenId token;
};

/// The 53-bit integer behind u; never 0, so that u is inside (0, 1).
std::uint64_t uniform_of(std::uint64_t word) {
  return std::max<std::uint64_t>(word >> (64 - kUniformBits), 1);
}

double noise_of(std::uint64_t word) {
  const double u = std::ldexp(static_cast<double>(uniform_of(word)), -kUniformBits);
  return -std::log(-std::log(u));
}

/// Not below the noise of any word whose uniform is at most that of `word`. No logarithm:
/// -ln u >= 1 - u, and 1 - u is at least the power of two under it.
double noise_bound(std::uint64_t word) {
  const std::uint64_t complement = (std::uint64_t{1} << kUniformBits) - uniform_of(word);
  const int zeros = kUniformBits + 1 - static_cast<int>(std::bit_width(complement));
  return zeros * std::numbers::ln2 + 1e-9;  // more than a libm's logarithm may be off
}

/// Descending logit, ties by ascending id: the order in which all filters cut.
constexpr auto before = [](const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
};

float max_of(std::span<const float> peaks) { return *std::ranges::max_element(peaks); }

TokenId argmax(std::span<const float> logits, std::span<const float> peaks) {
  const auto chunk = static_cast<std::size_t>(std::ranges::max_element(peaks) - peaks.begin());
  const auto from = logits.subspan(chunk * kChunkTokens);
  return static_cast<TokenId>(chunk * kChunkTokens) +
         static_cast<TokenId>(std::ranges::find(from, peaks[chunk]) - from.begin());
}

std::vector<Candidate> at_least(std::span<const float> logits, std::span<const float> peaks,
                                float floor) {
  std::vector<Candidate> found;
  for (std::size_t chunk = 0; chunk < peaks.size(); ++chunk) {
    if (peaks[chunk] < floor) continue;
    const std::size_t end = std::min(logits.size(), (chunk + 1) * kChunkTokens);
    for (std::size_t i = chunk * kChunkTokens; i < end; ++i)
      if (logits[i] >= floor) found.push_back({logits[i], static_cast<TokenId>(i)});
  }
  return found;
}

/// The best `count` in order; fewer if fewer are not removed.
std::vector<Candidate> best_of(std::span<const float> logits, std::span<const float> peaks,
                               std::size_t count) {
  // As many chunks as are asked for have a peak at or above this, so as many tokens do.
  float floor = kLowest;
  if (count <= peaks.size()) {
    std::vector<float> sorted(peaks.begin(), peaks.end());
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(count) - 1;
    std::ranges::nth_element(sorted, nth, std::greater{});
    floor = std::max(*nth, kLowest);
  }
  std::vector<Candidate> found = at_least(logits, peaks, floor);
  count = std::min(count, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(count), before);
  found.resize(count);
  return found;
}

double weight_of(std::span<const Candidate> candidates, double max) {
  double weight = 0;
  for (const Candidate& candidate : candidates) weight += std::exp(double{candidate.logit} - max);
  return weight;
}

/// The last of the shortest prefix, in the filters' order, that weighs at least `wanted`; none if
/// all of them weigh less. Leaves them in another order: halving is enough, nothing is sorted.
std::optional<Candidate> last_of_weight(std::span<Candidate> candidates, double max,
                                        double wanted) {
  if (weight_of(candidates, max) < wanted) return std::nullopt;
  while (candidates.size() > 1) {
    const std::size_t half = candidates.size() / 2;
    std::ranges::nth_element(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(half),
                             before);
    const double weight = weight_of(candidates.first(half), max);
    if (weight >= wanted) {
      candidates = candidates.first(half);
    } else {
      wanted -= weight;
      candidates = candidates.subspan(half);
    }
  }
  return candidates[0];
}

/// The smallest float that is not below `x`.
float float_above(double x) {
  const auto rounded = static_cast<float>(x);
  if (double{rounded} >= x) return rounded;
  return std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

/// The last survivor of the filters in their common order; each filter keeps a prefix of it.
Candidate find_cutoff(const SamplingParams& params, std::span<const float> logits,
                      std::span<const float> peaks) {
  const double max = max_of(peaks);
  const double share = static_cast<double>(params.top_p) / kMicro;
  float floor = kLowest;
  if (params.min_p > 0)
    floor =
        std::max(floor, float_above(max + std::log(static_cast<double>(params.min_p) / kMicro)));
  const Candidate at_floor{floor, std::numeric_limits<TokenId>::max()};
  const auto earlier = [&](const Candidate& last) {
    return before(last, at_floor) ? last : at_floor;
  };

  if (params.top_k > 0 && params.top_k < static_cast<std::int64_t>(logits.size())) {
    auto kept = best_of(logits, peaks, static_cast<std::size_t>(params.top_k));
    if (params.top_p >= kOne) return earlier(kept.back());
    const Candidate last = kept.back();
    return earlier(last_of_weight(kept, max, share * weight_of(kept, max)).value_or(last));
  }
  if (params.top_p >= kOne) return at_floor;
  // The tail is long and light: look only as far down as the wanted weight reaches.
  const double wanted = share * sum_exp_exact(logits, max_of(peaks));
  for (double depth = 4;; depth *= 2) {
    const float to = depth < 100 ? std::max(floor, float_above(max - depth)) : floor;
    auto found = at_least(logits, peaks, to);
    if (const auto last = last_of_weight(found, max, wanted)) return earlier(*last);
    if (to == floor) return at_floor;
  }
}

/// argmax of l + T g over the tokens not behind `cutoff`; ties by lower id.
TokenId choose(std::span<const float> logits, std::span<const float> peaks,
               const crypto::Digest& seed, std::uint64_t position, double temperature,
               Candidate cutoff) {
  const double bound_max = noise_bound(~std::uint64_t{0});
  double best = -std::numeric_limits<double>::infinity();
  TokenId token = -1;
  NoiseChunk noise;
  const auto visit = [&](std::size_t chunk) {
    // Rounding is monotone: a bound of the noise bounds the computed sum too.
    if (peaks[chunk] < cutoff.logit || peaks[chunk] + temperature * bound_max < best) return;
    noise.compute(seed, position, chunk);
    const std::uint64_t peak = std::uint64_t{noise.peak()} << 32 | 0xFFFFFFFF;
    if (peaks[chunk] + temperature * noise_bound(peak) < best) return;
    const std::size_t end = std::min(logits.size(), (chunk + 1) * kChunkTokens);
    for (std::size_t i = chunk * kChunkTokens; i < end; ++i) {
      const Candidate candidate{logits[i], static_cast<TokenId>(i)};
      if (candidate.logit < cutoff.logit || before(cutoff, candidate)) continue;
      const std::uint64_t word = noise.word(i % kChunkTokens);
      if (candidate.logit + temperature * noise_bound(word) < best) continue;
      const double value = candidate.logit + temperature * noise_of(word);
      if (value < best || (value == best && token < candidate.token)) continue;
      best = value;
      token = candidate.token;
    }
  };
  // The likeliest first: then most of the others cannot win any more.
  const auto first = static_cast<std::size_t>(std::ranges::max_element(peaks) - peaks.begin());
  visit(first);
  for (std::size_t chunk = 0; chunk < peaks.size(); ++chunk)
    if (chunk != first) visit(chunk);
  return token;
}

/// Probability of `token` and the best alternatives, from peaks that are known already.
Sampled score_with(std::span<const float> logits, std::span<const float> peaks, TokenId token,
                   std::uint32_t count) {
  const float max = max_of(peaks);
  const double log_sum = std::log(sum_exp_fast(logits, max)) + max;
  const auto logprob = [&](float logit) { return static_cast<float>(logit - log_sum); };
  Sampled scored;
  scored.token = token;
  scored.logprob = logprob(logits[static_cast<std::size_t>(token)]);
  if (count == 0) return scored;
  for (const Candidate& candidate : best_of(logits, peaks, count))
    scored.top.push_back({candidate.token, logprob(candidate.logit)});
  return scored;
}

}  // namespace

crypto::Digest hash_params(const SamplingParams& params) {
  codec::Array bias;
  for (const auto& [token, micro] : params.logit_bias)
    bias.push_back(codec::Array{codec::Value(std::int64_t{token}), codec::Value(micro)});
  const codec::Value map = codec::Object{{"temperature", params.temperature},
                                         {"top_k", params.top_k},
                                         {"top_p", params.top_p},
                                         {"min_p", params.min_p},
                                         {"repetition_penalty", params.repetition_penalty},
                                         {"presence_penalty", params.presence_penalty},
                                         {"frequency_penalty", params.frequency_penalty},
                                         {"logit_bias", std::move(bias)}};
  return crypto::sha256(codec::to_cbor(map));
}

crypto::Digest derive_seed(SeedMode mode, const crypto::Digest& entropy,
                           const crypto::Digest& model, const crypto::Digest& params,
                           std::uint32_t choice) {
  const auto mode_byte = static_cast<std::uint8_t>(mode);
  std::array<std::uint8_t, 4> choice_bytes;
  for (std::size_t i = 0; i < 4; ++i)
    choice_bytes[i] = static_cast<std::uint8_t>(choice >> (8 * i));
  return crypto::Sha256()
      .update(as_bytes("loam.gumbel.v1"))
      .update({&mode_byte, 1})
      .update(entropy)
      .update(model)
      .update(params)
      .update(choice_bytes)
      .finish();
}

crypto::Digest integer_entropy(std::int64_t seed) {
  return crypto::sha256(as_bytes(std::to_string(seed)));
}

double gumbel_noise(const crypto::Digest& seed, std::uint64_t position, TokenId token) {
  LOAM_CHECK(token >= 0);
  std::array<std::uint8_t, 64> block;
  crypto::chacha20_keystream(seed, position, static_cast<std::uint32_t>(token / 8), block);
  std::uint64_t word = 0;
  for (std::size_t i = 8; i-- > 0;)
    word = word << 8 | block[8 * static_cast<std::size_t>(token % 8) + i];
  return noise_of(word);
}

Result<> check_sampling(const SamplingParams& params, std::uint32_t vocabulary) {
  struct Range {
    const char* name;
    std::int64_t value, min, max;
  };
  const std::int64_t hundred = 100 * kOne;
  for (const Range& range :
       {Range{"temperature", params.temperature, 0, hundred}, Range{"top_p", params.top_p, 0, kOne},
        Range{"min_p", params.min_p, 0, kOne},
        Range{"repetition_penalty", params.repetition_penalty, 1, hundred},
        Range{"presence_penalty", params.presence_penalty, -hundred, hundred},
        Range{"frequency_penalty", params.frequency_penalty, -hundred, hundred}})
    if (range.value < range.min || range.value > range.max)
      return fail(ErrorCode::kInvalidArgument,
                  format("{}: {} is outside {} to {} (in units of 1e-6)", range.name, range.value,
                         range.min, range.max));
  if (params.top_k < 0)
    return fail(ErrorCode::kInvalidArgument, format("top_k: {} is negative", params.top_k));
  std::int64_t previous = -1;
  for (const auto& [token, micro] : params.logit_bias) {
    if (token <= previous || static_cast<std::uint32_t>(token) >= vocabulary)
      return fail(ErrorCode::kInvalidArgument,
                  format("logit_bias: token {} is outside the vocabulary of {}, or the tokens are "
                         "not in ascending order",
                         token, vocabulary));
    if (micro < -10 * hundred || micro > 10 * hundred)
      return fail(ErrorCode::kInvalidArgument,
                  format("logit_bias: {} of token {} is outside -1000 to 1000 (in units of 1e-6)",
                         micro, token));
    previous = token;
  }
  return {};
}

Sampler::Sampler(SamplingParams params, const crypto::Digest& seed, std::span<const TokenId> prompt)
    : params_(std::move(params)), seed_(seed) {
  if (params_.repetition_penalty == kOne) return;
  for (const TokenId token : prompt) counts_[token].in_prompt = true;
}

bool Sampler::counts() const {
  return params_.repetition_penalty != kOne || params_.presence_penalty != 0 ||
         params_.frequency_penalty != 0;
}

float Sampler::changed_logit(float logit, std::int64_t bias, const Count& count) const {
  double x = logit + static_cast<double>(bias) / kMicro;
  if (count.in_prompt || count.in_output > 0) {
    const double penalty = static_cast<double>(params_.repetition_penalty) / kMicro;
    x = x > 0 ? x / penalty : x * penalty;
  }
  if (count.in_output > 0) {
    x -= static_cast<double>(params_.presence_penalty) / kMicro;
    x -= count.in_output * (static_cast<double>(params_.frequency_penalty) / kMicro);
  }
  return static_cast<float>(x);
}

void Sampler::change_logits(std::span<const float> logits) {
  changed_.assign(logits.begin(), logits.end());
  for (const auto& [token, count] : counts_) {
    const auto i = static_cast<std::size_t>(token);
    changed_[i] = changed_logit(logits[i], 0, count);
  }
  for (const auto& [token, bias] : params_.logit_bias) {  // once more where both apply
    const auto i = static_cast<std::size_t>(token);
    const auto found = counts_.find(token);
    changed_[i] = changed_logit(logits[i], bias, found == counts_.end() ? Count{} : found->second);
  }
}

Result<Sampled> Sampler::sample(std::span<const float> logits, std::uint32_t top_logprobs) {
  const auto refuse = [&](const char* why) {
    return fail(ErrorCode::kInternal, format("sample output token {}: {}", position_, why));
  };
  peaks_.resize(chunks_of(logits.size()));
  if (!find_peaks(logits, peaks_)) return refuse("the model gave a logit that is not a number");
  if (max_of(peaks_) < kLowest) return refuse("no token is left to choose from");

  std::span<const float> chosen_from = logits;
  std::span<const float> peaks = peaks_;
  if (counts() || !params_.logit_bias.empty()) {
    change_logits(logits);
    changed_peaks_.resize(peaks_.size());
    if (!find_peaks(changed_, changed_peaks_)) return refuse("a penalised logit is not a number");
    if (max_of(changed_peaks_) < kLowest) return refuse("the penalties leave no token");
    chosen_from = changed_;
    peaks = changed_peaks_;
  }
  TokenId token = 0;
  if (params_.temperature == 0)
    token = argmax(chosen_from, peaks);  // no filter removes it
  else
    token = choose(chosen_from, peaks, seed_, position_,
                   static_cast<double>(params_.temperature) / kMicro,
                   find_cutoff(params_, chosen_from, peaks));
  LOAM_CHECK(token >= 0);
  if (counts()) ++counts_[token].in_output;
  ++position_;
  return score_with(logits, peaks_, token, top_logprobs);
}

Result<Sampled> score(std::span<const float> logits, TokenId token, std::uint32_t count) {
  std::vector<float> peaks(chunks_of(logits.size()));
  if (!find_peaks(logits, peaks) || max_of(peaks) < kLowest)
    return fail(ErrorCode::kInternal, "score a token: the model gave logits that are not numbers");
  return score_with(logits, peaks, token, count);
}

}  // namespace loam::engine
