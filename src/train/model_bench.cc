// Prints what a step of training SmolLM2-135M costs: 4 x 256 tokens, all of them answers, rank 8 in
// every linear part. Random weights: the work is the same. Run alone on an idle machine.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "train/cost.h"
#include "train/model.h"
#include "train/testing/smollm2_shape.h"

using namespace loam::train;

namespace {

constexpr std::size_t kSequences = 4;
constexpr std::size_t kLength = 256;
constexpr std::size_t kTokens = kSequences * kLength;

Weights random_weights() {
  const Shape shape = loam::train::testing::smollm2_shape();
  Weights out{.shape = shape, .embedding = {}, .layers = {}, .final_norm = {}, .head = {}};
  std::uint32_t state = 1;
  const auto fill = [&](std::vector<float>& values, std::size_t size) {
    values.resize(size);
    for (float& value : values) {
      state = state * 1664525 + 1013904223;
      value = static_cast<float>(state >> 8) * 0x1p-27F - 0x1p-4F;
    }
  };
  fill(out.embedding, shape.vocabulary * shape.width);
  out.layers.resize(shape.layers);
  for (LayerWeights& layer : out.layers) {
    layer.attention_norm.assign(shape.width, 1.0F);
    layer.ffn_norm.assign(shape.width, 1.0F);
    for (const Part part : kParts) {
      const auto [in, size] = part_size(shape, part);
      fill(layer.linear[part], in * size);
    }
  }
  out.final_norm.assign(shape.width, 1.0F);
  return out;
}

template <class Body>
double seconds(const Body& body) {
  const auto from = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

/// GFLOP/s of one large product, the most that can be hoped for.
double peak(Gemm& gemm) {
  constexpr std::size_t kSize = 1536;
  const std::vector<float> a(kSize * kSize, 0.5F), b(kSize * kSize, 0.25F);
  std::vector<float> c(kSize * kSize);
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double took = seconds([&] {
      gemm.multiply(matrix(a, kSize, kSize), matrix(b, kSize, kSize), {c.data(), kSize},
                    Into::kReplace);
    });
    best = std::max(best, 2e-9 * static_cast<double>(kSize * kSize * kSize) / took);
  }
  return best;
}

}  // namespace

int main() {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);  // what a model frees must not count for the next one
  const Weights weights = random_weights();
  std::vector<Token> tokens(kTokens), targets(kTokens);
  for (std::size_t i = 0; i < kTokens; ++i) tokens[i] = static_cast<Token>(i * 7919 % 49152);
  std::copy(tokens.begin() + 1, tokens.end(), targets.begin());
  const std::vector<float> counts(kTokens, 1.0F / kTokens);
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i <= kSequences; ++i) starts.push_back(i * kLength);

  for (const Keep keep : {Keep::kLayerInputs, Keep::kProducts})
    for (const std::size_t threads : {1U, 2U}) {
      Team team(threads);
      Gemm gemm(team);
      Adapter adapter = make_adapter(weights.shape, {}, 1);
      Adapter gradient = adapter.zeros();
      AdamW adam({}, size_of(adapter.spans()));
      Model model(gemm, weights, kLength, keep);
      double best = 1e9;
      for (int i = 0; i < 3; ++i)
        best = std::min(best, seconds([&] {
                          model.accumulate({tokens, starts, {targets, counts}}, adapter, gradient);
                          adam.step(adapter.spans(), gradient.spans(), 1e-4);
                        }));
      const double rate = training_gflop(weights.shape, {}, {kTokens, kTokens, kLength}) / best;
      const double most = peak(gemm);
      rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      std::printf(
          "%-8s threads %zu  %6.1f tok/s  %6.1f GFLOP/s of %6.1f (%.2f)  most memory %ld MB, "
          "expected %ld\n",
          keep == Keep::kProducts ? "kept" : "computed", threads,
          static_cast<double>(kTokens) / best, rate, most, rate / most, usage.ru_maxrss / 1024,
          static_cast<long>(training_bytes(weights.shape, false, {}, keep, kTokens) >> 20));
      std::fflush(stdout);
    }
}
