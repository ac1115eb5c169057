// Prints what one sampled token costs. Run alone on an idle machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "engine/sampler.h"

using namespace loam;
using namespace loam::engine;

namespace {

/// Logits like a language model's: a wide bell, and a few tokens far ahead.
std::vector<float> make_logits(std::size_t vocabulary) {
  std::mt19937 random(7);
  std::normal_distribution<float> bell(0, 3);
  std::vector<float> logits(vocabulary);
  for (float& logit : logits) logit = bell(random);
  for (int i = 0; i < 40; ++i) logits[random() % vocabulary] = 9 + static_cast<float>(i) * 0.15F;
  return logits;
}

/// Median nanoseconds of one call of sample().
double measure(const SamplingParams& params, const std::vector<float>& logits) {
  Sampler sampler(params, crypto::Digest{1, 2, 3}, {});
  std::vector<double> samples;
  for (int i = 0; i < 400; ++i) {
    const auto from = std::chrono::steady_clock::now();
    if (!sampler.sample(logits, 0)) return -1;
    samples.push_back(
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - from).count());
  }
  std::ranges::sort(samples);
  return samples[samples.size() / 2];
}

}  // namespace

int main() {
  for (const std::size_t vocabulary : {49152U, 128256U, 262144U}) {
    const std::vector<float> logits = make_logits(vocabulary);
    const SamplingParams greedy{.temperature = 0};
    const SamplingParams plain{};
    const SamplingParams usual{
        .temperature = 800'000, .top_k = 40, .top_p = 950'000, .min_p = 50'000};
    const SamplingParams mass{.top_p = 950'000};
    const SamplingParams penalised{.top_k = 40, .presence_penalty = 500'000};
    std::printf(
        "vocabulary %6zu, ns per token: T=0 %.0f; T=1 %.0f; T=0.8 k=40 p=0.95 min=0.05 %.0f; "
        "T=1 p=0.95 %.0f; T=1 k=40 penalised %.0f\n",
        vocabulary, measure(greedy, logits), measure(plain, logits), measure(usual, logits),
        measure(mass, logits), measure(penalised, logits));
  }
  return 0;
}
