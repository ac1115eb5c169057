// Which held-out conversations a gate measures with.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "env/disk.h"
#include "tuning/view_rows.h"

namespace loam::gate {

using Nonce = std::array<std::uint8_t, 32>;

struct Slice {
  std::vector<tuning::ViewRow> answers;  // of view sft
  std::vector<tuning::ViewRow> pairs;    // of view dpo, of the same records where there are any
  /// Held-out answers that were left out because something that was learned from is a near
  /// duplicate.
  std::uint32_t near_duplicates = 0;
};

/// Draws up to `items_max` answers, and as many pairs, in an order that `nonce` alone decides:
/// first of `newer`, a data set over the same logs at greater heights, the records that `trained`
/// knows nothing of; then of `trained` those that were held out. Never a question that was learned
/// from, nor a near duplicate of a conversation that was. Both must have been verified. @source
/// DESIGN.md 8.8
/// @error Corrupt  names file and line.
Result<Slice> draw_slice(const env::Path& trained, const std::optional<env::Path>& newer,
                         const Nonce& nonce, std::size_t items_max);

}  // namespace loam::gate
