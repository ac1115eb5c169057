// Prints GFLOP/s of the products that a step of SmolLM2-135M is made of. Run alone on an idle
// machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "train/gemm.h"

using namespace loam::train;

namespace {

struct Case {
  const char* name;
  std::size_t rows, columns, depth;
  bool left_turned, right_turned;
};

constexpr Case kCases[] = {
    {"forward, attention", 1024, 576, 576, false, true},
    {"forward, feed-forward up", 1024, 1536, 576, false, true},
    {"forward, feed-forward down", 1024, 576, 1536, false, true},
    {"backward, feed-forward up", 1024, 576, 1536, false, false},
    {"head, 256 answer tokens", 256, 49152, 576, false, true},
    {"adapter down, rank 8", 8, 1024, 576, false, true},
    {"adapter up, rank 8", 1024, 576, 8, true, false},
    {"scores of a head, 128 x 256", 128, 256, 64, false, true},
};

/// The best of several runs.
double gigaflops(Gemm& gemm, const Case& of) {
  const std::vector<float> a(of.rows * of.depth, 0.5F);
  const std::vector<float> b(of.columns * of.depth, 0.25F);
  std::vector<float> c(of.rows * of.columns);
  const Matrix left =
      of.left_turned ? matrix(a, of.depth, of.rows).transposed() : matrix(a, of.rows, of.depth);
  const Matrix right = of.right_turned ? matrix(b, of.columns, of.depth).transposed()
                                       : matrix(b, of.depth, of.columns);
  double best = 0;
  for (int i = 0; i < 20; ++i) {
    const auto from = std::chrono::steady_clock::now();
    gemm.multiply(left, right, {c.data(), of.columns}, Into::kReplace);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
    const double work = 2.0 * static_cast<double>(of.rows * of.columns * of.depth);
    best = std::max(best, work / took.count() * 1e-9);
  }
  return best;
}

}  // namespace

int main() {
  for (const Case& of : kCases) {
    std::printf("%-28s", of.name);
    for (const InstructionSet set : instruction_sets()) {
      if (set == InstructionSet::kPortable) continue;
      for (const std::size_t threads : {1U, 2U}) {
        Team team(threads);
        Gemm gemm(team, set);
        std::printf("  %s x%zu %6.1f", instruction_set_name(set).data(), threads,
                    gigaflops(gemm, of));
      }
    }
    std::printf("\n");
  }
}
