#include "tuning/loss_plot.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format.h"

namespace loam::tuning {
namespace {

constexpr std::size_t kPointsMax = 2'000;  // drawn of each line
constexpr double kLossMax = 1e100;         // chosen: no square of a difference overflows
constexpr double kWidth = 720, kHeight = 400;
constexpr double kLeft = 70, kRight = 700, kTop = 48, kBottom = 346;  // of the axes
// Greys and blues with a contrast of at least 3.5 to both white and #121212.
constexpr std::string_view kInk = "#7d8590";
constexpr std::string_view kBlue = "#3b82c4";

struct Point {
  double x, y;
};
using Line = std::vector<Point>;

Line usable(std::span<const LossPoint> points) {
  std::map<std::uint64_t, double> losses;
  for (const auto& [step, loss] : points)
    if (std::abs(loss) <= kLossMax) losses.insert_or_assign(step, loss);  // false for NaN
  Line out;
  for (const auto& [step, loss] : losses) out.push_back({static_cast<double>(step), loss});
  return out;
}

/// A mean of what came before, of which older points fade; the first ones count as much as later
/// ones do, instead of as a start from 0.
Line smoothed(const Line& line) {
  const double fade = 1 - 1 / std::max(1.0, static_cast<double>(line.size()) / 50);
  double sum = 0, weight = 0;
  Line out;
  for (const auto& [x, y] : line) {
    sum = sum * fade + y;
    weight = weight * fade + 1;
    out.push_back({x, sum / weight});
  }
  return out;
}

/// The lowest and the highest of each bin of neighbours, in their order.
Line thinned(const Line& line) {
  if (line.size() <= kPointsMax) return line;
  constexpr std::size_t kBins = kPointsMax / 2;
  Line out;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const auto at = [&](std::size_t i) {
      return line.begin() + static_cast<std::ptrdiff_t>(line.size() * i / kBins);
    };
    auto [low, high] = std::minmax_element(
        at(bin), at(bin + 1), [](const Point& a, const Point& b) { return a.y < b.y; });
    if (high < low) std::swap(low, high);
    out.push_back(*low);
    if (high != low) out.push_back(*high);
  }
  return out;
}

/// From which number to which an axis goes, and the round numbers on it: multiples of `step`, which
/// is 1, 2 or 5 times a power of ten.
struct Axis {
  double low, high, step;
  int decimals;  // of the step
  double from_pixel, to_pixel;

  double pixel(double value) const {
    return from_pixel + (value - low) / (high - low) * (to_pixel - from_pixel);
  }
};

/// @param step_min  0, or the smallest step that makes sense.
Axis axis_of(double low, double high, double step_min, int ticks, double from_pixel,
             double to_pixel) {
  if (high - low < std::max(std::abs(high) * 1e-9, 1e-100)) {  // one value, or as good as that
    const double room = std::max(std::abs(high) * 0.1, 1e-3);
    low = low >= 0 ? std::max(low - room, 0.0) : low - room;
    high += room;
  }
  const double wanted = std::max((high - low) / ticks, step_min);
  int exponent = 0;
  double power = 1;
  while (power * 10 <= wanted) {
    power *= 10;
    ++exponent;
  }
  while (power > wanted) {
    power /= 10;
    --exponent;
  }
  double step = power * 10;
  if (wanted <= power * 5) step = power * 5;
  if (wanted <= power * 2) step = power * 2;
  if (wanted <= power) step = power;
  const int decimals = step == power * 10 ? -exponent - 1 : -exponent;
  return {low, high, step, std::max(decimals, 0), from_pixel, to_pixel};
}

/// The same, from a round number to a round number.
Axis rounded(Axis axis) {
  axis.low = std::floor(axis.low / axis.step) * axis.step;
  axis.high = std::ceil(axis.high / axis.step) * axis.step;
  return axis;
}

std::string label(const Axis& axis, double value) {
  if (axis.decimals > 6 || std::abs(value) >= 1e7) return format("{:.6g}", value);
  return format("{:.{}f}", value, axis.decimals);
}

void append_text(std::string& out, double x, double y, std::string_view anchor,
                 std::string_view more, std::string_view text) {
  out += format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>)", x, y, anchor, more,
                text);
  out += '\n';
}

/// The places of an axis's round numbers, and these. -0 is written as 0.
template <class Draw>
void for_each_tick(const Axis& axis, Draw draw) {
  const double slack = axis.step * 1e-9;
  const double first = std::ceil((axis.low - slack) / axis.step);
  const double last = std::floor((axis.high + slack) / axis.step);
  for (int i = 0; i <= 20 && first + i <= last; ++i) {  // 20: more than any axis has
    const double value = (first + i) * axis.step;
    draw(axis.pixel(value), label(axis, value == 0 ? 0 : value));
  }
}

void append_axes(std::string& out, const Axis& x, const Axis& y) {
  for_each_tick(y, [&](double pixel, const std::string& text) {
    out += format(
        R"(<line x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}" stroke="{}" stroke-opacity="0.25"/>)",
        kLeft, pixel, kRight, pixel, kInk);
    out += '\n';
    append_text(out, kLeft - 8, pixel + 4, "end", "", text);
  });
  for_each_tick(x, [&](double pixel, const std::string& text) {
    out += format(R"(<line x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}" stroke="{}"/>)", pixel, kBottom,
                  pixel, kBottom + 5, kInk);
    out += '\n';
    append_text(out, pixel, kBottom + 20, "middle", "", text);
  });
  out += format(R"(<path d="M{} {}V{}H{}" fill="none" stroke="{}"/>)", kLeft, kTop, kBottom, kRight,
                kInk);
  out += '\n';
}

void append_line(std::string& out, const Line& line, const Axis& x, const Axis& y,
                 std::string_view style) {
  if (line.size() == 1) {  // a line of one point is not seen
    out += format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)", x.pixel(line[0].x),
                  y.pixel(line[0].y), kBlue);
  } else {
    out += format(R"(<polyline fill="none" stroke="{}" {} points=")", kBlue, style);
    for (std::size_t i = 0; i < line.size(); ++i)
      out += format("{}{:.1f},{:.1f}", i == 0 ? "" : " ", x.pixel(line[i].x), y.pixel(line[i].y));
    out += R"("/>)";
  }
  out += '\n';
}

}  // namespace

std::string loss_plot(std::span<const LossPoint> points) {
  const Line line = usable(points);
  std::string out =
      format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}")"
             R"( role="img" font-family="system-ui, sans-serif" font-size="12" fill="{}">)",
             kWidth, kHeight, kWidth, kHeight, kInk);
  out += "\n<title>Training loss</title>\n";
  append_text(out, kLeft, 26, "start", R"( font-size="15" font-weight="600")", "Training loss");
  if (line.empty()) {
    append_text(out, kWidth / 2, kHeight / 2, "middle", "", "no step yet");
    return out + "</svg>\n";
  }
  const Line mean = smoothed(line);
  const auto [low, high] = std::ranges::minmax_element(line, {}, &Point::y);
  const Axis x = axis_of(line.front().x, line.back().x, 1, 8, kLeft, kRight);
  const Axis y = rounded(axis_of(low->y, high->y, 0, 6, kBottom, kTop));
  append_text(out, kRight, 26, "end", "", format("mean of the last steps: {:.4g}", mean.back().y));
  append_axes(out, x, y);
  append_text(out, (kLeft + kRight) / 2, kHeight - 12, "middle", "", "step");
  append_text(out, kLeft, kTop - 8, "end", "", "loss");
  append_line(out, thinned(line), x, y, R"(stroke-width="1" stroke-opacity="0.4")");
  append_line(out, thinned(mean), x, y, R"(stroke-width="2" stroke-linejoin="round")");
  return out + "</svg>\n";
}

}  // namespace loam::tuning
