// How large the cache of a loaded model is. A pure rule, so that whoever plans memory and the
// engine that takes it agree.
#pragma once

#include <algorithm>
#include <cstdint>

namespace loam::engine {

/// The rule's result.
struct KvCells {
  std::uint64_t count = 0;  // tokens that fit, of all sequences together
  bool shared = false;      // one pool for all; else each sequence has its own share of them
};

/// Room for two full conversations and no less than 8,192 tokens, but never more than all sequences
/// could fill. `context`: tokens of one sequence. @source docs/adr/0003-kv-layout.md.
constexpr KvCells kv_cells(std::uint32_t context, std::uint32_t sequences_max) {
  constexpr std::uint64_t kUnit = 256;  // the library rounds up to this
  constexpr std::uint64_t kFullSequences = 2;
  constexpr std::uint64_t kCellsMin = 8192;
  const std::uint64_t one = (context + kUnit - 1) / kUnit * kUnit;
  const std::uint64_t own = one * sequences_max;
  const std::uint64_t pool = std::max(one * kFullSequences, kCellsMin);
  return own > pool ? KvCells{pool, true} : KvCells{own, false};
}

static_assert(!kv_cells(512, 16).shared && kv_cells(512, 16).count == 8192);
static_assert(kv_cells(4096, 16).shared && kv_cells(4096, 16).count == 8192);
static_assert(!kv_cells(300, 1).shared && kv_cells(300, 1).count == 512);

}  // namespace loam::engine
