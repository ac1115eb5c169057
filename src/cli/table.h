// Columns for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loam::cli {

/// Rows under headings, columns as wide as their widest cell and two spaces apart; no space at the
/// end of a line. Width counts code points. Every row must have as many cells as there are
/// headings.
std::string format_table(const std::vector<std::string>& headings,
                         const std::vector<std::vector<std::string>>& rows);

/// "1 row", "2 rows".
std::string counted(std::uint64_t n, std::string_view noun);

/// "3 minutes ago", "in 2 hours", "just now".
std::string relative_time(std::int64_t then_ms, std::int64_t now_ms);

/// "2026-11-23T04:10:13Z".
std::string time_text(std::int64_t wall_ms);

/// "1m05s", "12s", "3h02m".
std::string short_duration(double seconds);

/// `text` broken at spaces so that no line is wider than `width`, each behind `indent` spaces.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace loam::cli
