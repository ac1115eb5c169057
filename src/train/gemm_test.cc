#include "train/gemm.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "train/testing/numbers.h"

namespace loam::train {
namespace {

using testing::numbers;

struct Shape {
  std::size_t rows, columns, depth;
};

enum class Turned { kNo, kYes };

/// A random product in which each factor may be stored transposed.
struct Product {
  Shape shape;
  std::vector<float> a, b, before;
  Turned a_turned = Turned::kNo, b_turned = Turned::kNo;

  Product(Shape of, Turned a_is, Turned b_is)
      : shape(of),
        a(numbers(of.rows * of.depth, 1)),
        b(numbers(of.depth * of.columns, 2)),
        before(numbers(of.rows * of.columns, 3)),
        a_turned(a_is),
        b_turned(b_is) {}

  Matrix left() const {
    if (a_turned == Turned::kNo) return matrix(a, shape.rows, shape.depth);
    return matrix(a, shape.depth, shape.rows).transposed();
  }
  Matrix right() const {
    if (b_turned == Turned::kNo) return matrix(b, shape.depth, shape.columns);
    return matrix(b, shape.columns, shape.depth).transposed();
  }
  std::vector<float> run(Gemm& gemm, Into into) const {
    std::vector<float> c = before;
    gemm.multiply(left(), right(), {c.data(), shape.columns}, into);
    return c;
  }
  /// The largest difference from a plain loop in binary64.
  double error_of(const std::vector<float>& c, Into into) const {
    const Matrix x = left();
    const Matrix y = right();
    double worst = 0;
    for (std::size_t i = 0; i < shape.rows; ++i)
      for (std::size_t j = 0; j < shape.columns; ++j) {
        double sum = into == Into::kAdd ? before[i * shape.columns + j] : 0;
        for (std::size_t k = 0; k < shape.depth; ++k)
          sum += double{x.data[i * x.row_step + k * x.column_step]} *
                 y.data[k * y.row_step + j * y.column_step];
        worst = std::max(worst, std::abs(sum - c[i * shape.columns + j]));
      }
    return worst;
  }
};

RC_GTEST_PROP(Gemm, EqualsAPlainLoopForEveryShapeAndTranspose, ()) {
  const Shape shape{*rc::gen::inRange<std::size_t>(1, 80), *rc::gen::inRange<std::size_t>(1, 90),
                    *rc::gen::inRange<std::size_t>(1, 500)};
  const Product product(shape, *rc::gen::element(Turned::kNo, Turned::kYes),
                        *rc::gen::element(Turned::kNo, Turned::kYes));
  const Into into = *rc::gen::element(Into::kReplace, Into::kAdd);
  Team team(2);
  Gemm gemm(team);
  RC_ASSERT(product.error_of(product.run(gemm, into), into) < 1e-4);
}

TEST(Gemm, GivesTheSameBitsOnEveryInstructionSetAndNumberOfThreads) {
  for (const Shape shape : {Shape{1, 1, 1}, Shape{8, 300, 577}, Shape{129, 67, 1000},
                            Shape{300, 200, 33}, Shape{16, 576, 8}}) {
    const Product product(shape, Turned::kNo, Turned::kYes);
    Team alone(1);
    Gemm reference(alone, InstructionSet::kPortable);
    const std::vector<float> expected = product.run(reference, Into::kAdd);
    EXPECT_LT(product.error_of(expected, Into::kAdd), 1e-4);
    for (const InstructionSet set : instruction_sets())
      for (const std::size_t threads : {1U, 2U, 3U}) {
        Team team(threads);
        Gemm gemm(team, set);
        EXPECT_EQ(product.run(gemm, Into::kAdd), expected)
            << instruction_set_name(set) << ", threads: " << threads;
      }
  }
}

TEST(Gemm, CutsWhatIsTooLargeForOnePass) {
  for (const Shape shape : {Shape{2100, 40, 20}, Shape{20, 4200, 20}, Shape{3, 5, 2000}}) {
    const Product product(shape, Turned::kYes, Turned::kNo);
    Team team(2);
    Gemm gemm(team);
    EXPECT_LT(product.error_of(product.run(gemm, Into::kReplace), Into::kReplace), 1e-4);
  }
}

TEST(Gemm, MultipliesAloneWithinABody) {
  const Product product({50, 60, 70}, Turned::kNo, Turned::kNo);
  Team team(2);
  Gemm gemm(team);
  const std::vector<float> expected = product.run(gemm, Into::kReplace);
  std::vector<std::vector<float>> results(4, std::vector<float>(expected.size()));
  team.run(results.size(), [&](std::size_t i, std::size_t worker) {
    gemm.multiply_alone(worker, product.left(), product.right(), {results[i].data(), 60},
                        Into::kReplace);
  });
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(Gemm, TouchesNothingBetweenTheRowsOfItsResult) {
  const Product product({9, 21, 30}, Turned::kNo, Turned::kNo);
  Team team(1);
  Gemm gemm(team);
  std::vector<float> wide(9 * 25, 7);
  gemm.multiply(product.left(), product.right(), {wide.data(), 25}, Into::kReplace);
  for (std::size_t row = 0; row < 9; ++row)
    for (std::size_t column = 21; column < 25; ++column) EXPECT_EQ(wide[row * 25 + column], 7);
}

TEST(Team, CallsTheBodyOnceForEachIndex) {
  for (const std::size_t threads : {1U, 2U, 4U}) {
    Team team(threads);
    for (const std::size_t count : {0U, 1U, 2U, 1000U}) {
      std::vector<int> calls(count);
      team.run(count, [&](std::size_t i, std::size_t worker) {
        EXPECT_LT(worker, threads);
        ++calls[i];
      });
      EXPECT_EQ(calls, std::vector<int>(count, 1));
      std::vector<int> rows(count);
      team.run_rows(count, [&](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i) ++rows[i];
      });
      EXPECT_EQ(rows, calls);
    }
  }
}

}  // namespace
}  // namespace loam::train
