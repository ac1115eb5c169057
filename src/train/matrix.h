// How a matrix lies in memory that somebody else owns.
#pragma once

#include <cstddef>
#include <span>

#include "base/check.h"

namespace loam::train {

/// A matrix to read: element (i, j) is `data[i * row_step + j * column_step]`. One step is 1, so
/// that a transposed matrix, or some columns of a wider one, costs nothing.
struct Matrix {
  const float* data;
  std::size_t rows;
  std::size_t columns;
  std::size_t row_step;
  std::size_t column_step = 1;

  Matrix transposed() const { return {data, columns, rows, column_step, row_step}; }
};

/// Where a product goes: rows of consecutive numbers, `row_step` apart.
struct Output {
  float* data;
  std::size_t row_step;
};

/// All of `values`, row by row.
inline Matrix matrix(std::span<const float> values, std::size_t rows, std::size_t columns) {
  LOAM_CHECK(values.size() == rows * columns);
  return {values.data(), rows, columns, columns};
}

/// Whether a result replaces what is there or is added to it.
enum class Into { kReplace, kAdd };

}  // namespace loam::train
