#include "tuning/loss_plot.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/parse.h"

namespace loam::tuning {
namespace {

/// The points of the n-th line, as its text.
std::vector<std::string_view> line_of(std::string_view svg, int n) {
  for (; n >= 0; --n) svg.remove_prefix(std::min(svg.size(), svg.find("points=\"") + 8));
  return split(svg.substr(0, svg.find('"')), ' ');
}

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::vector<LossPoint> falling(std::size_t count) {
  std::vector<LossPoint> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({i + 1, 2.0 + 1.0 / double(i + 1)});
  return out;
}

TEST(LossPlot, SaysSoIfThereIsNothingToDraw) {
  const std::string svg = loss_plot({});
  EXPECT_TRUE(holds(svg, "no step yet"));
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_EQ(loss_plot(std::vector<LossPoint>{{1, std::nan("")}}), svg);
}

TEST(LossPlot, DrawsOnePointAsADot) {
  const std::string svg = loss_plot(std::vector<LossPoint>{{5, 2.5}});
  EXPECT_TRUE(holds(svg, R"(<circle cx="385.0" )"));
  EXPECT_TRUE(holds(svg, R"(text-anchor="middle">5</text>)"));
  EXPECT_FALSE(holds(svg, "polyline"));
}

TEST(LossPlot, HasRoundNumbersOnItsAxes) {
  const std::string svg =
      loss_plot(std::vector<LossPoint>{{0, 0.93}, {100, 0.61}, {200, 0.42}, {400, 0.35}});
  for (const std::string_view number : {"0.3", "0.4", "0.5", "0.9", "1.0"})
    EXPECT_TRUE(holds(svg, ">" + std::string(number) + "</text>")) << number;
  for (const std::string_view number : {"0", "50", "100", "400"})
    EXPECT_TRUE(holds(svg, R"("middle">)" + std::string(number) + "</text>")) << number;
}

TEST(LossPlot, DrawsEachStepAndTheMeanOverThem) {
  const std::string svg = loss_plot(falling(300));
  EXPECT_EQ(line_of(svg, 0).size(), 300U);
  EXPECT_EQ(line_of(svg, 1).size(), 300U);
  EXPECT_EQ(line_of(svg, 0).front(), line_of(svg, 1).front());  // a mean of one
  EXPECT_NE(line_of(svg, 0)[5], line_of(svg, 1)[5]);
}

TEST(LossPlot, KeepsAPeakWhenThereAreTooManyPoints) {
  std::vector<LossPoint> points = falling(100'000);
  points[77'777].loss = 10;
  const std::string svg = loss_plot(points);
  EXPECT_LE(line_of(svg, 0).size(), 2'000U);
  EXPECT_TRUE(std::ranges::any_of(line_of(svg, 0), [](std::string_view point) {
    return point.ends_with(",48.0");  // the upper end
  }));
  EXPECT_LT(svg.size(), 100'000U);
}

TEST(LossPlot, TakesTheLastLossOfAStepThatWasTakenAgain) {
  EXPECT_EQ(loss_plot(std::vector<LossPoint>{{1, 3}, {2, 9}, {3, 9}, {2, 2}, {3, 1}}),
            loss_plot(std::vector<LossPoint>{{1, 3}, {2, 2}, {3, 1}}));
}

RC_GTEST_PROP(LossPlot, DrawsEveryPointInsideThePicture, ()) {
  auto points = *rc::gen::container<std::vector<LossPoint>>(rc::gen::construct<LossPoint>(
      rc::gen::arbitrary<std::uint64_t>(), rc::gen::arbitrary<double>()));
  for (const double loss : {std::numeric_limits<double>::infinity(), 5e-324, 1e100, -1e100, -0.0})
    if (*rc::gen::arbitrary<bool>())
      points.push_back({*rc::gen::element<std::uint64_t>(0, 7, ~std::uint64_t{0}), loss});
  const std::string svg = loss_plot(points);
  RC_ASSERT(!holds(svg, "nan") && !holds(svg, "inf"));
  if (!holds(svg, "polyline")) return;
  for (const int n : {0, 1})
    for (const std::string_view point : line_of(svg, n)) {
      const auto xy = split(point, ',');
      const double x = parse_number(xy.at(0)).value();
      const double y = parse_number(xy.at(1)).value();
      RC_ASSERT(x >= 70 && x <= 700);
      RC_ASSERT(y >= 48 && y <= 346);
    }
}

}  // namespace
}  // namespace loam::tuning
