// Work on many items at once, in a fixed order of results.
#pragma once

#include <cstddef>
#include <functional>

namespace loam::dataset {

/// Calls `work(i)` once for each i below `count`, on `threads` threads; returns when all are done.
/// `work` must not touch what another call may touch.
void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work);

/// As many as the machine runs at once, at least one.
std::size_t usual_threads();

}  // namespace loam::dataset
