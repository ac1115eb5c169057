// Numbers and words out of text, independent of locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loam {

/// The whole of `text` as a decimal integer; nothing else around it. Empty on anything else.
std::optional<std::int64_t> parse_int(std::string_view text);
/// The whole of `text` as a finite decimal number with '.'. Empty on anything else.
std::optional<double> parse_number(std::string_view text);
/// "500", "64K", "8M", "2G", "1T" in powers of 1024, an optional "B" or "iB" behind. Bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// "90", "90s", "5m", "2h", "30d" as seconds; "-1" (for ever) as -1.
std::optional<std::int64_t> parse_duration_s(std::string_view text);

/// "98.4 MB": three digits and a decimal unit, for people.
std::string human_bytes(std::uint64_t bytes);

/// Without leading and trailing ASCII white space.
std::string_view trim(std::string_view text);
/// Pieces between `separator`s; always at least one.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string to_lower_ascii(std::string_view text);

/// The candidate with the smallest edit distance to `word`, if it is close enough to be a typo.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace loam
