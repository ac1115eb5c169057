// How the loss went, as a picture.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace loam::tuning {

struct LossPoint {
  std::uint64_t step;
  double loss;
};

/// An SVG file that needs nothing else, and reads well on a light and on a dark ground: the loss of
/// each step as a thin line, and over it a running mean of about a fiftieth of all steps. The same
/// text for the same points.
///
/// Points may come in any order; of several of one step, as after a run that went on from a
/// checkpoint, the last one holds. What is no number that a loss could be (NaN, infinity, beyond
/// 1e100) is left out. Of more than 2,000 points, neighbours share a bin whose lowest and highest
/// are drawn, so that no peak is lost.
std::string loss_plot(std::span<const LossPoint> points);

}  // namespace loam::tuning
