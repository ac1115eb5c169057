#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <utility>

#include "codec/json.h"
#include "crypto/chacha.h"
#include "engine/sampler_kernels.h"
#include "env/disk.h"

namespace loam::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

crypto::Digest digest_of(const codec::Value& hex) {
  return crypto::parse_digest(*hex.as_string()).value();
}

const codec::Value& vectors() {
  static const codec::Value all =
      codec::parse_json(
          env::read_file(env::Path(LOAM_TESTDATA) / "gumbel_v1.json", 1U << 20).value())
          .value();
  return all;
}

std::int64_t whole(const codec::Value& object, const char* name) {
  return *object.find(name)->as_int();
}

SamplingParams params_of(const codec::Value& json) {
  SamplingParams params{.temperature = whole(json, "temperature"),
                        .top_k = whole(json, "top_k"),
                        .top_p = whole(json, "top_p"),
                        .min_p = whole(json, "min_p"),
                        .repetition_penalty = whole(json, "repetition_penalty"),
                        .presence_penalty = whole(json, "presence_penalty"),
                        .frequency_penalty = whole(json, "frequency_penalty")};
  for (const codec::Value& entry : *json.find("logit_bias")->as_array())
    params.logit_bias.emplace_back(static_cast<TokenId>(*(*entry.as_array())[0].as_int()),
                                   *(*entry.as_array())[1].as_int());
  return params;
}

/// The vectors' logits; the recipe is in tests/formats/gumbel_v1_check.py.
std::vector<float> make_logits(const codec::Value& recipe, std::uint32_t step) {
  std::vector<float> logits(static_cast<std::size_t>(whole(recipe, "vocabulary")));
  for (std::uint32_t token = 0; token < logits.size(); ++token) {
    std::uint32_t x =
        token * 2654435761U + step * 40503U + static_cast<std::uint32_t>(whole(recipe, "salt"));
    x = (x ^ x >> 15) * 2246822519U;
    x ^= x >> 13;
    logits[token] = (static_cast<float>(x % 1601) - 800) / 64 *
                    static_cast<float>(recipe.find("scale")->number());
  }
  for (const codec::Value& token : *recipe.find("removed")->as_array())
    logits[static_cast<std::size_t>(*token.as_int())] = -kInfinity;
  return logits;
}

/// Steps 3 and 4 of docs/formats/gumbel-v1.md as they are written, all noise computed, visited in
/// a random order. Without penalties.
TokenId choose_plainly(std::span<const float> logits, const SamplingParams& params,
                       const crypto::Digest& seed, std::uint64_t position, std::mt19937& random) {
  std::vector<TokenId> order;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -kInfinity) order.push_back(static_cast<TokenId>(i));
  const auto at = [&](TokenId token) { return double{logits[static_cast<std::size_t>(token)]}; };
  std::ranges::sort(order,
                    [&](TokenId a, TokenId b) { return at(a) != at(b) ? at(a) > at(b) : a < b; });
  const double max = at(order[0]);
  if (params.top_k > 0 && order.size() > static_cast<std::size_t>(params.top_k))
    order.resize(static_cast<std::size_t>(params.top_k));
  if (params.top_p < 1'000'000) {
    double total = 0;
    for (const TokenId token : order) total += std::exp(at(token) - max);
    double sum = 0;
    std::size_t kept = 0;
    while (kept < order.size()) {
      sum += std::exp(at(order[kept++]) - max);
      if (sum >= static_cast<double>(params.top_p) / 1e6 * total) break;
    }
    order.resize(kept);
  }
  if (params.min_p > 0)
    while (order.size() > 1 &&
           at(order.back()) < max + std::log(static_cast<double>(params.min_p) / 1e6))
      order.pop_back();
  const double temperature = static_cast<double>(params.temperature) / 1e6;
  if (params.temperature == 0) return order[0];
  std::ranges::shuffle(order, random);
  TokenId best = order[0];
  double best_value = -std::numeric_limits<double>::infinity();
  for (const TokenId token : order) {
    const double value = at(token) + temperature * gumbel_noise(seed, position, token);
    if (value > best_value || (value == best_value && token < best)) {
      best = token;
      best_value = value;
    }
  }
  return best;
}

TEST(GumbelV1, SeedsAreThoseOfTheVectors) {
  for (const codec::Value& given : *vectors().find("seeds")->as_array()) {
    const bool by_nonce = whole(given, "mode") == 0;
    const crypto::Digest entropy =
        by_nonce ? digest_of(*given.find("nonce")) : integer_entropy(whole(given, "integer"));
    const auto seed =
        derive_seed(by_nonce ? SeedMode::kNonce : SeedMode::kInteger, entropy,
                    digest_of(*given.find("model")), hash_params(params_of(*given.find("params"))),
                    static_cast<std::uint32_t>(whole(given, "choice")));
    EXPECT_EQ(crypto::digest_hex(seed), *given.find("seed")->as_string());
  }
}

TEST(GumbelV1, NoiseIsThatOfTheVectors) {
  for (const codec::Value& given : *vectors().find("noise")->as_array()) {
    const std::uint64_t position = std::stoull(*given.find("position")->as_string());
    const auto token = static_cast<TokenId>(whole(given, "token"));
    const auto k = static_cast<double>(whole(given, "k"));
    const double g = gumbel_noise(digest_of(*given.find("seed")), position, token);
    EXPECT_NEAR(g, given.find("g")->number(), 1e-12);
    EXPECT_NEAR(std::exp(-std::exp(-g)), k * 0x1p-53, 1e-12);
  }
}

TEST(GumbelV1, ChoicesAreThoseOfTheVectors) {
  for (const codec::Value& given : *vectors().find("choices")->as_array()) {
    SCOPED_TRACE(*given.find("name")->as_string());
    std::vector<TokenId> prompt;
    for (const codec::Value& token : *given.find("prompt")->as_array())
      prompt.push_back(static_cast<TokenId>(*token.as_int()));
    const SamplingParams params = params_of(*given.find("params"));
    const codec::Value& recipe = *given.find("logits");
    ASSERT_TRUE(check_sampling(params, 1000));
    Sampler sampler(params, digest_of(*given.find("seed")), prompt);
    std::uint32_t step = 0;
    for (const codec::Value& token : *given.find("tokens")->as_array()) {
      const bool moves = *std::get_if<bool>(&given.find("logits_change")->data());
      const auto sampled = sampler.sample(make_logits(recipe, moves ? step : 0), 0);
      ASSERT_TRUE(sampled);
      EXPECT_EQ(sampled->token, *token.as_int()) << "at step " << step;
      ++step;
    }
  }
}

TEST(GumbelV1, ChunksOfNoiseAreTheKeystream) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    crypto::Digest seed;
    for (auto& byte : seed) byte = static_cast<std::uint8_t>(random());
    const std::uint64_t position = random();
    const std::size_t chunk = random() % 33'554'432;  // of 2^31 tokens
    NoiseChunk noise;
    noise.compute(seed, position, chunk);
    std::array<std::uint8_t, 512> stream;
    crypto::chacha20_keystream(seed, position, static_cast<std::uint32_t>(chunk * 8), stream);
    std::uint32_t peak = 0;
    for (std::size_t i = 0; i < kChunkTokens; ++i) {
      std::uint64_t word = 0;
      for (std::size_t byte = 8; byte-- > 0;) word = word << 8 | stream[8 * i + byte];
      ASSERT_EQ(noise.word(i), word);
      peak = std::max(peak, static_cast<std::uint32_t>(word >> 32));
    }
    ASSERT_EQ(noise.peak(), peak);
  }
}

TEST(GumbelV1, SkippingNoiseAndOrderNeverChangeTheWinner) {
  std::mt19937 random(2);
  const std::vector<std::int64_t> temperatures = {
      0, 1, 1000, 100'000, 500'000, 800'000, 1'000'000, 2'000'000, 100'000'000};
  const std::vector<float> scales = {0, 1e-30F, 1e-3F, 0.3F, 2, 10, 1e4F, 1e30F};
  const auto pick = [&](const auto& from) { return from[random() % from.size()]; };
  for (int round = 0; round < 3000; ++round) {
    std::vector<float> logits(round % 100 == 0 ? 4000 : 1 + random() % 300);
    const float scale = pick(scales);
    const float shift = pick(scales) - pick(scales);
    std::normal_distribution<float> bell;
    for (float& logit : logits) logit = bell(random) * scale + shift;
    for (std::size_t i = random() % 5; i > 0; --i) logits[random() % logits.size()] = -kInfinity;
    logits[random() % logits.size()] = shift + scale;
    if (random() % 4 == 0)  // many equal ones
      for (float& logit : logits) logit = std::floor(logit);
    const SamplingParams params{
        .temperature = pick(temperatures),
        .top_k = pick(std::vector<std::int64_t>{0, 0, 1, 2, 40, 1000}),
        .top_p = pick(std::vector<std::int64_t>{1'000'000, 1'000'000, 950'123, 500'321, 12'345, 0}),
        .min_p = pick(std::vector<std::int64_t>{0, 0, 1, 50'123, 1'000'000})};
    crypto::Digest seed{};
    seed[0] = static_cast<std::uint8_t>(round);
    seed[1] = static_cast<std::uint8_t>(round >> 8);
    Sampler sampler(params, seed, {});
    for (std::uint64_t position = 0; position < 2; ++position)
      ASSERT_EQ(sampler.sample(logits, 0)->token,
                choose_plainly(logits, params, seed, position, random))
          << "round " << round;
  }
}

TEST(GumbelV1, FrequenciesFollowTheSoftmax) {
  std::mt19937 random(3);
  std::normal_distribution<float> bell;
  for (const std::int64_t temperature : {500'000, 1'000'000, 2'000'000}) {
    std::vector<float> logits(12);
    for (float& logit : logits) logit = bell(random);
    std::vector<double> expected(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i)
      expected[i] = std::exp(logits[i] / (static_cast<double>(temperature) / 1e6));
    const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
    constexpr int kDraws = 40'000;
    std::vector<int> seen(logits.size());
    Sampler sampler({.temperature = temperature}, crypto::Digest{9}, {});
    for (int i = 0; i < kDraws; ++i)
      ++seen[static_cast<std::size_t>(sampler.sample(logits, 0)->token)];
    double chi_square = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double e = expected[i] / total * kDraws;
      chi_square += (seen[i] - e) * (seen[i] - e) / e;
    }
    EXPECT_LT(chi_square, 31.3) << temperature;  // 99.9% of chi-square with 11 degrees of freedom
  }
}

TEST(GumbelV1, FiltersKeepWhatTheyPromise) {
  const std::vector<float> logits = {0, 3, 3, 1, 2, -kInfinity};  // order: 1 2 4 3 0
  const auto seen = [&](const SamplingParams& params) {
    Sampler sampler(params, crypto::Digest{1}, {});
    std::set<TokenId> tokens;
    for (int i = 0; i < 400; ++i) tokens.insert(sampler.sample(logits, 0)->token);
    return tokens;
  };
  constexpr std::int64_t kHot = 20'000'000;
  using Set = std::set<TokenId>;
  EXPECT_EQ(seen({.temperature = kHot}), (Set{0, 1, 2, 3, 4}));
  EXPECT_EQ(seen({.temperature = kHot, .top_k = 1}), Set{1}) << "the lower id of two equal logits";
  EXPECT_EQ(seen({.temperature = kHot, .top_k = 3}), (Set{1, 2, 4}));
  // Probabilities: 0.387 0.387 0.142 0.052 0.019 ...
  EXPECT_EQ(seen({.temperature = kHot, .top_p = 300'000}), Set{1});
  EXPECT_EQ(seen({.temperature = kHot, .top_p = 900'000}), (Set{1, 2, 4}));
  EXPECT_EQ(seen({.temperature = kHot, .top_p = 0}), Set{1});
  // ... which are 0.5 and 0.5 among the best two.
  EXPECT_EQ(seen({.temperature = kHot, .top_k = 2, .top_p = 490'000}), Set{1});
  EXPECT_EQ(seen({.temperature = kHot, .min_p = 1'000'000}), (Set{1, 2}));
  EXPECT_EQ(seen({.temperature = kHot, .min_p = 130'000}), (Set{1, 2, 3, 4}));  // e^-2 = 0.135
  EXPECT_EQ(seen({.temperature = kHot, .min_p = 140'000}), (Set{1, 2, 4}));
  EXPECT_EQ(seen({.temperature = 0, .top_k = 3}), Set{1});
}

TEST(GumbelV1, PenaltiesCountWhatTheyShould) {
  const auto greedy = [](SamplingParams params, const std::vector<TokenId>& prompt,
                         std::vector<float> logits, int steps) {
    params.temperature = 0;
    Sampler sampler(params, {}, prompt);
    std::vector<TokenId> tokens;
    for (int i = 0; i < steps; ++i) tokens.push_back(sampler.sample(logits, 0)->token);
    return tokens;
  };
  using Tokens = std::vector<TokenId>;
  EXPECT_EQ(greedy({.repetition_penalty = 2'000'000}, {2}, {1, 1.5F, 2.5F}, 3), (Tokens{1, 2, 2}))
      << "2.5 counts as 1.25, and 1.5 as 0.75 once it was chosen";
  EXPECT_EQ(greedy({.repetition_penalty = 2'000'000}, {1}, {-3, -2}, 1), (Tokens{0}))
      << "negative logits are multiplied";
  EXPECT_EQ(greedy({.presence_penalty = 1'000'000}, {1, 1}, {0.5F, 1, 0}, 4), (Tokens{1, 0, 1, 1}))
      << "the prompt does not count, nor does a second time; equal ones go to the lower id";
  EXPECT_EQ(greedy({.frequency_penalty = 400'000}, {}, {0, 1}, 5), (Tokens{1, 1, 1, 0, 1}));
  EXPECT_EQ(greedy({.logit_bias = {{0, 2'000'000}, {1, -1'000'000}}}, {}, {0, 1}, 2),
            (Tokens{0, 0}));
}

TEST(GumbelV1, ChoicesOfOneRequestDiffer) {
  const std::vector<float> flat(1000, 0.0F);
  std::set<TokenId> firsts;
  for (std::uint32_t choice = 0; choice < 8; ++choice) {
    const auto seed = derive_seed(SeedMode::kInteger, integer_entropy(42), {},
                                  hash_params(SamplingParams{}), choice);
    firsts.insert(Sampler({}, seed, {}).sample(flat, 0)->token);
  }
  EXPECT_GT(firsts.size(), 6U);
}

TEST(GumbelV1, EveryParameterIsInTheHash) {
  std::set<crypto::Digest> hashes;
  for (const SamplingParams& params :
       {SamplingParams{}, SamplingParams{.temperature = 0}, SamplingParams{.top_k = 1},
        SamplingParams{.top_p = 1}, SamplingParams{.min_p = 1},
        SamplingParams{.repetition_penalty = 1}, SamplingParams{.presence_penalty = 1},
        SamplingParams{.frequency_penalty = 1}, SamplingParams{.logit_bias = {{0, 1}}},
        SamplingParams{.logit_bias = {{1, 0}}}})
    hashes.insert(hash_params(params));
  EXPECT_EQ(hashes.size(), 10U);
}

TEST(GumbelV1, RefusesLogitsThatAreNoNumbers) {
  for (const std::size_t size : {5U, 64U, 100U})
    for (const float bad : {std::nanf(""), -std::nanf(""), kInfinity})
      for (std::size_t at = 0; at < size; ++at) {
        std::vector<float> logits(size, 1);
        logits[at] = bad;
        EXPECT_EQ(Sampler({}, {}, {}).sample(logits, 0).error().code, ErrorCode::kInternal);
        EXPECT_FALSE(score(logits, 0, 0));
      }
  const std::vector<float> removed(70, -kInfinity);
  EXPECT_FALSE(Sampler({}, {}, {}).sample(removed, 0));
  EXPECT_FALSE(Sampler({.temperature = 0}, {}, {}).sample(removed, 0));
}

TEST(GumbelV1, ChecksItsParameters) {
  EXPECT_TRUE(check_sampling({}, 100));
  EXPECT_TRUE(check_sampling({.logit_bias = {{0, 1}, {99, -1}}}, 100));
  for (const SamplingParams& params :
       {SamplingParams{.temperature = -1}, SamplingParams{.top_k = -1},
        SamplingParams{.top_p = 1'000'001}, SamplingParams{.min_p = -1},
        SamplingParams{.repetition_penalty = 0}, SamplingParams{.presence_penalty = 200'000'000},
        SamplingParams{.frequency_penalty = -200'000'000}, SamplingParams{.logit_bias = {{100, 0}}},
        SamplingParams{.logit_bias = {{-1, 0}}}, SamplingParams{.logit_bias = {{1, 0}, {1, 0}}},
        SamplingParams{.logit_bias = {{1, 2'000'000'000}}}})
    EXPECT_EQ(check_sampling(params, 100).error().code, ErrorCode::kInvalidArgument);
}

TEST(Score, AgreesWithPlainSoftmax) {
  std::mt19937 random(4);
  for (const float scale : {0.0F, 0.1F, 3.0F, 30.0F, 1000.0F}) {
    std::normal_distribution<float> bell(5, 1);
    std::vector<float> logits(1000 + random() % 100);
    for (float& logit : logits) logit = bell(random) * scale;
    logits[17] = -kInfinity;
    const double max = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - max);
    EXPECT_NEAR(sum_exp_fast(logits, static_cast<float>(max)) / sum, 1, 1e-6);
    EXPECT_NEAR(sum_exp_exact(logits, static_cast<float>(max)) / sum, 1, 1e-13);
    for (const TokenId token : {0, 1, 999}) {
      const double expected = logits[static_cast<std::size_t>(token)] - max - std::log(sum);
      EXPECT_NEAR(score(logits, token, 0)->logprob, expected, 1e-5 + std::abs(expected) * 1e-6);
    }
    EXPECT_EQ(score(logits, 17, 0)->logprob, -kInfinity);
  }
}

TEST(Score, ListsTheBestInOrder) {
  const std::vector<float> logits = {1, 4, 2, 4, -kInfinity, 0};
  const Sampled scored = score(logits, 0, 20).value();
  std::vector<TokenId> tokens;
  for (const TopLogprob& top : scored.top) tokens.push_back(top.token);
  EXPECT_EQ(tokens, (std::vector<TokenId>{1, 3, 2, 0, 5})) << "ties by id, removed ones left out";
  EXPECT_EQ(scored.top[3].logprob, scored.logprob);
  EXPECT_EQ(score(logits, 0, 2)->top.size(), 2U);

  std::mt19937 random(5);
  std::vector<float> many(5000);
  for (float& logit : many) logit = static_cast<float>(random() % 700);
  std::vector<TokenId> order(many.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {},
                    [&](TokenId t) { return std::pair(-many[static_cast<std::size_t>(t)], t); });
  const Sampled best = score(many, 0, 20).value();
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(best.top[i].token, order[i]);
}

TEST(Score, IsTheModelsOwnProbabilityWhateverWasAskedFor) {
  const std::vector<float> logits = {1, 2, 3};
  Sampler sampler({.temperature = 0, .top_k = 1, .logit_bias = {{0, 9'000'000}}}, {}, {});
  const Sampled sampled = sampler.sample(logits, 3).value();
  EXPECT_EQ(sampled.token, 0);
  EXPECT_NEAR(sampled.logprob, -2.4076F, 1e-4);
  EXPECT_EQ(sampled.top[0].token, 2);
  EXPECT_NEAR(sampled.top[0].logprob, -0.4076F, 1e-4);
}

}  // namespace
}  // namespace loam::engine
