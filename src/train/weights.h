// A model of the Llama family as plain numbers.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "train/attention.h"
#include "train/linear.h"
#include "train/norm.h"
#include "train/optimizer.h"
#include "train/rope.h"

namespace loam::train {

/// The sizes of a model: RMSNorm, rotary attention with grouped queries, SwiGLU.
struct Shape {
  std::size_t layers;
  std::size_t width;
  std::size_t ffn_width;
  std::size_t vocabulary;
  AttentionShape attention;
  RopeShape rope;
  float norm_epsilon;
};

/// The linear parts of a layer, in the order in which they are stored and trained.
enum class Part { kQ, kK, kV, kOutput, kGate, kUp, kDown };
constexpr std::array kParts = {Part::kQ,    Part::kK,  Part::kV,   Part::kOutput,
                               Part::kGate, Part::kUp, Part::kDown};

/// One thing for each part of a layer.
template <class T>
struct OfParts : std::array<T, kParts.size()> {
  using std::array<T, kParts.size()>::operator[];
  T& operator[](Part part) { return (*this)[static_cast<std::size_t>(part)]; }
  const T& operator[](Part part) const { return (*this)[static_cast<std::size_t>(part)]; }
};

/// As GGUF names it: "attn_q", ... "ffn_down".
std::string_view part_name(Part part);

struct PartSize {
  std::size_t in;
  std::size_t out;
};
PartSize part_size(const Shape& shape, Part part);

struct LayerWeights {
  std::vector<float> attention_norm;   // [width]
  std::vector<float> ffn_norm;         // [width]
  OfParts<std::vector<float>> linear;  // [out, in]
  OfParts<std::vector<float>> bias;    // [out], or empty
};

/// The parameters of a model, or, of the same shape, their gradients.
struct Weights {
  Shape shape;
  std::vector<float> embedding;  // [vocabulary, width]
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [width]
  std::vector<float> head;        // [vocabulary, width], or empty: the embedding is the head too

  Linear part(std::size_t layer, Part part) const;
  Norm attention_norm(std::size_t layer) const;
  Norm ffn_norm(std::size_t layer) const;
  std::span<const float> head_weight() const { return head.empty() ? embedding : head; }

  /// All parameters in their fixed order: what an optimizer steps over.
  Spans spans();
  /// For each of spans(), whether weight decay holds for it: norms and biases are left alone, as
  /// Hugging Face's trainer does it.
  std::vector<bool> decayed() const;
  /// The same shape, all zero.
  Weights zeros() const;
};

/// How many numbers the spans hold.
std::size_t size_of(const Spans& spans);

}  // namespace loam::train
