#include "cli/table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "base/format.h"
#include "base/parse.h"

namespace loam::cli {
namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string counted(std::uint64_t n, std::string_view noun) {
  return format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string format_table(const std::vector<std::string>& headings,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& heading : headings) widths.push_back(width_of(heading));
  for (const auto& row : rows) {
    LOAM_CHECK(row.size() == headings.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add(headings);
  for (const auto& row : rows) add(row);
  return out;
}

std::string relative_time(std::int64_t then_ms, std::int64_t now_ms) {
  const auto seconds = static_cast<std::uint64_t>(std::abs(now_ms - then_ms)) / 1000;
  if (seconds < 5) return "just now";
  std::string amount;
  if (seconds < 60)
    amount = counted(seconds, "second");
  else if (seconds < 3600)
    amount = counted(seconds / 60, "minute");
  else if (seconds < 86'400)
    amount = counted(seconds / 3600, "hour");
  else
    amount = counted(seconds / 86'400, "day");
  return then_ms <= now_ms ? amount + " ago" : "in " + amount;
}

std::string time_text(std::int64_t wall_ms) {
  const std::int64_t seconds = wall_ms / 1000;
  const std::chrono::sys_days day{std::chrono::days(seconds / 86'400)};
  const std::chrono::year_month_day date{day};
  const std::int64_t rest = seconds % 86'400;
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3600,
                rest / 60 % 60, rest % 60);
}

std::string short_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::max(0.0, std::ceil(seconds)));
  if (whole < 60) return format("{}s", whole);
  if (whole < 3600) return format("{}m{:02}s", whole / 60, whole % 60);
  return format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  for (const auto paragraph : split(text, '\n')) {
    std::string line(indent, ' ');
    bool empty = true;
    for (const auto word : split(paragraph, ' ')) {
      if (word.empty()) continue;
      if (!empty && width_of(line) + 1 + width_of(word) > width) {
        out += line + "\n";
        line = std::string(indent, ' ');
        empty = true;
      }
      line += (empty ? "" : " ") + std::string(word);
      empty = false;
    }
    out += (empty ? "" : line) + "\n";
  }
  return out;
}

}  // namespace loam::cli
