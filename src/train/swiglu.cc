#include "train/swiglu.h"

#include <algorithm>

#include "base/check.h"
#include "train/vector_loops.h"

namespace loam::train {
namespace {

constexpr std::size_t kPart = 4096;  // chosen: numbers that a thread takes at a time

void run_parts(Team& team, std::size_t size,
               const std::function<void(std::size_t, std::size_t)>& body) {
  team.run((size + kPart - 1) / kPart,
           [&](std::size_t i, std::size_t) { body(i * kPart, std::min(kPart, size - i * kPart)); });
}

}  // namespace

void swiglu_forward(Team& team, std::span<const float> gate, std::span<const float> up,
                    std::span<float> out) {
  LOAM_CHECK(gate.size() == up.size() && gate.size() == out.size());
  run_parts(team, out.size(), [&](std::size_t from, std::size_t count) {
    gated_product(&gate[from], &up[from], &out[from], count);
  });
}

void swiglu_backward(Team& team, std::span<const float> gate, std::span<const float> up,
                     std::span<const float> out_gradient, std::span<float> gate_gradient,
                     std::span<float> up_gradient) {
  LOAM_CHECK(gate.size() == up.size() && gate.size() == out_gradient.size());
  LOAM_CHECK(gate.size() == gate_gradient.size() && gate.size() == up_gradient.size());
  run_parts(team, gate.size(), [&](std::size_t from, std::size_t count) {
    gated_product_gradient(&gate[from], &up[from], &out_gradient[from], &gate_gradient[from],
                           &up_gradient[from], count);
  });
}

}  // namespace loam::train
