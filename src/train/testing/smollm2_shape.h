// The sizes of SmolLM2-135M, the starter model.
#pragma once

#include "train/weights.h"

namespace loam::train::testing {

inline Shape smollm2_shape() {
  return {.layers = 30,
          .width = 576,
          .ffn_width = 1536,
          .vocabulary = 49152,
          .attention = {.heads = 9, .kv_heads = 3, .head_width = 64},
          .rope = {.head_width = 64,
                   .rotated = 64,
                   .base = 100'000,
                   .pairs = RopePairs::kAdjacent,
                   .factors = {}},
          .norm_epsilon = 1e-5F};
}

}  // namespace loam::train::testing
