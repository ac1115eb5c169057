#include "release/votes.h"

#include <algorithm>
#include <cmath>

namespace loam::release {
namespace {

constexpr double kWorseBy = 0.2;  // chosen: what people notice

}  // namespace

double usual_rate(const Votes& votes) {
  const double rate =
      (static_cast<double>(votes.down) + 1) / (static_cast<double>(votes.all()) + 10);
  return std::clamp(rate, 0.05, 0.5);
}

std::int64_t vote_weight(double usual, bool is_down) {
  const double worse = usual + kWorseBy;
  const double ratio = is_down ? worse / usual : (1 - worse) / (1 - usual);
  return std::llround(std::log(ratio) * 1e6);
}

}  // namespace loam::release
