// One layer of the stack: x + attention(norm(x)), then + SwiGLU(norm(that)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "train/adapter.h"
#include "train/attention.h"
#include "train/gemm.h"
#include "train/rope.h"
#include "train/weights.h"

namespace loam::train {

/// What a layer's gradient needs of its values: the results of products. Norms, SwiGLU products and
/// attention probabilities cost little to compute again, and would double this.
struct LayerValues {
  std::vector<float> q, k, v;          // turned to their positions
  std::vector<float> attended;         // [tokens, query_width]
  std::vector<float> middle;           // [tokens, width], after attention
  std::vector<float> gate, up;         // [tokens, ffn_width]
  OfParts<std::vector<float>> hidden;  // [rank, tokens] of adapted parts

  void resize(const Shape& shape, std::size_t rank, std::size_t tokens);
};

/// Sequences one after the other, and each token's place in its own.
struct Sequences {
  std::vector<std::size_t> starts;       // as attention.h has it
  std::vector<std::uint32_t> positions;  // [tokens]

  explicit Sequences(Starts at);
  std::size_t tokens() const { return positions.size(); }
};

/// What a pass works with besides the weights. Pointers are to what the caller owns, or null.
struct Trained {
  const Adapter* adapter = nullptr;
  Adapter* adapter_gradient = nullptr;  // added to
  Weights* weights_gradient = nullptr;  // added to
};

/// Whether anything that is trained lies below.
enum class Below { kNothing, kTrained };

/// Computes layers, one at a time, in memory that all of them share.
class LayerPass {
 public:
  /// All must outlive this.
  LayerPass(Gemm& gemm, const Weights& weights, const Rope& rope);

  /// y from x, [tokens, width] both, and `values`. y may be x.
  void forward(std::size_t layer, const Adapter* adapter, const Sequences& sequences,
               std::span<const float> x, LayerValues& values, std::span<float> y);

  /// Turns `gradient`, of y, into that of x (or into nothing of use, if there is nothing below),
  /// and adds those of the parameters.
  void backward(std::size_t layer, const Trained& trained, const Sequences& sequences,
                std::span<const float> x, const LayerValues& values, std::span<float> gradient,
                Below below);

 private:
  void part_forward(std::size_t layer, Part part, const Adapter* adapter, std::span<const float> x,
                    LayerValues& values, std::span<float> y, Into into);
  void part_backward(std::size_t layer, Part part, const Trained& trained, std::span<const float> x,
                     const LayerValues& values, std::span<const float> y_gradient,
                     const InputGradient& x_gradient);
  void ffn_backward(std::size_t layer, const Trained& trained, const LayerValues& values,
                    std::span<float> gradient);
  void attention_part_backward(std::size_t layer, const Trained& trained,
                               const Sequences& sequences, std::span<const float> x,
                               const LayerValues& values, std::span<float> gradient, Below below);

  Gemm& gemm_;
  const Weights& weights_;
  const Rope& rope_;
  std::vector<float> normed_, normed_gradient_;    // [tokens, width]
  std::vector<float> product_, product_gradient_;  // [tokens, ffn_width]
  std::vector<float> attended_gradient_, q_gradient_, k_gradient_, v_gradient_;
};

}  // namespace loam::train
