// Is a gradient right? Asks the function itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>

namespace loam::train::testing {

/// The sum of a[i] b[i]: turns many outputs into one number to differentiate.
inline double weighted_sum(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

/// The largest difference between `gradient` and the slope of `f` along each of `x` (which `f`
/// reads), as a part of the gradient's largest number. Slopes are central differences at two
/// distances, extrapolated to none (Richardson): about 1e-4 is what binary32 allows. Looks at one
/// number of `every` alone.
inline double gradient_error(std::span<float> x, std::span<const float> gradient,
                             const std::function<double()>& f, float distance = 0.04F,
                             std::size_t every = 1) {
  double worst = 0;
  double largest = 1e-3;
  for (std::size_t i = 0; i < x.size(); i += every) {
    const float before = x[i];
    const auto slope = [&](float h) {
      x[i] = before + h;
      const double above = f();
      const double top = x[i];
      x[i] = before - h;
      const double below = f();
      const double width = top - double{x[i]};
      x[i] = before;
      return (above - below) / width;
    };
    const double numeric = (4 * slope(distance / 2) - slope(distance)) / 3;
    worst = std::max(worst, std::abs(numeric - double{gradient[i]}));
    largest = std::max(largest, std::abs(numeric));
  }
  return worst / largest;
}

}  // namespace loam::train::testing
