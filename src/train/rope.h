// Rotary position embedding, in the two layouts that GGUF files come in.
// @source Su et al., "RoFormer", 2021; ggml's GGML_ROPE_TYPE_NORMAL and _NEOX.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "train/team.h"

namespace loam::train {

/// Which two numbers of a head turn together. A GGUF file of architecture `llama` has its q and k
/// rows in the order for kAdjacent, one of `qwen2` for kHalves.
enum class RopePairs { kAdjacent, kHalves };

/// Which way to turn: a gradient turns back.
enum class Turn { kForward, kBackward };

/// What a model needs to know of its rotations.
struct RopeShape {
  std::size_t head_width;
  std::size_t rotated;  // of each head's first numbers; the rest stay as they are
  float base;           // 10,000 or more
  RopePairs pairs;
  std::vector<float> factors;  // [rotated / 2] to divide the frequencies by, or empty
};

class Rope {
 public:
  /// For positions below `positions_max`.
  Rope(const RopeShape& shape, std::size_t positions_max);

  std::size_t positions_max() const { return positions_max_; }

  /// Turns `heads`, [tokens, any number of heads, head_width], in place; `positions` is [tokens].
  void turn(Team& team, std::span<const std::uint32_t> positions, std::span<float> heads,
            Turn way) const;

 private:
  std::size_t head_width_;
  std::size_t pairs_;      // in a head
  std::size_t pair_step_;  // from a pair's first number to the next pair's
  std::size_t partner_;    // from a pair's first number to its second
  std::size_t positions_max_;
  std::vector<float> sines_;  // [positions_max, pairs]
  std::vector<float> cosines_;
};

}  // namespace loam::train
