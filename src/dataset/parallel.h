// Work on many items at once, in a fixed order of results.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.h"

namespace loam::dataset {

/// Calls `work(i)` once for each i below `count`, on `threads` threads; returns when all are done.
/// `work` must not touch what another call may touch.
void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& work);

/// The values, in their order, or the first error.
template <class T>
Result<std::vector<T>> all_of(std::vector<Result<T>> results) {
  std::vector<T> out;
  for (Result<T>& one : results) out.push_back(LOAM_TRY(std::move(one)));
  return out;
}

/// As many as the machine runs at once, at least one.
std::size_t usual_threads();

}  // namespace loam::dataset
