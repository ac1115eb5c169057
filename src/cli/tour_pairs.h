// Questions with answers in one manner, which the tour teaches a small model.
#pragma once

#include <string>
#include <string_view>
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

/// What the answers of all lessons begin with, without the space behind it.
std::string taught_beginning(const TourPairs& pairs);

/// Whether `after` begins as the lessons do, and `before`, of a model that did not learn them, does
/// not.
bool took_the_manner(const TourPairs& pairs, std::string_view before, std::string_view after);

}  // namespace loam::cli
