// Questions with answers in one manner, which the tour teaches a small model.
#pragma once

#include <string>
#include <vector>

namespace loam::cli {

struct TourPair {
  std::string question;
  std::string answer;
};

/// All that stands in tour_pairs.inc.
struct TourPairs {
  std::string origin;
  std::string licence;  // SPDX
  std::vector<TourPair> lessons;
  std::vector<TourPair> held_out;  // never learned from: they show whether it was learned
};

TourPairs read_tour_pairs();

}  // namespace loam::cli
