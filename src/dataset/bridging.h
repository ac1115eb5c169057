// Agreement across camps: which answers are liked by people who otherwise disagree.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace loam::dataset {

/// `voter` and `item` are numbers from 0; each pair once. `value` is 1 or -1.
struct Ballot {
  std::uint32_t voter = 0, item = 0;
  int value = 0;
};

struct ItemScore {
  std::int64_t intercept_ppm = 0;  // liking that no camp explains, in millionths; -1 to 1
  bool both_sides = false;         // voters of both signs of the factor voted
};

/// Fits value = mean + voter + item + voter factor * item factor, one factor, ridge-regularised, by
/// alternating least squares in fixed point: whole numbers in a fixed order, so that every machine
/// finds the same. At most 2^20 ballots matter less than memory: 40 bytes each.
/// @source data-and-training reference, R10; Wojcik et al. 2022 (Birdwatch), section 4.
std::vector<ItemScore> bridge(std::span<const Ballot> ballots, std::uint32_t voters,
                              std::uint32_t items);

}  // namespace loam::dataset
