#include "api/byte_range.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/parse.h"

namespace loam::api {
namespace {

/// Digits alone; what is larger than any file stays that.
std::optional<std::uint64_t> position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::uint64_t out = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    out = out > (kMax - digit) / 10 ? kMax : out * 10 + digit;
  }
  return out;
}

}  // namespace

ByteRange select_bytes(std::string_view range, std::uint64_t total) {
  const ByteRange whole{200, 0, total};
  constexpr ByteRange kNone{416, 0, 0};
  const std::size_t equals = range.find('=');
  const std::size_t dash = range.find('-');
  if (equals == std::string_view::npos || dash == std::string_view::npos || dash < equals ||
      to_lower_ascii(trim(range.substr(0, equals))) != "bytes")
    return whole;
  const std::string_view from = trim(range.substr(equals + 1, dash - equals - 1));
  const std::string_view to = trim(range.substr(dash + 1));
  const auto first = position(from);
  const auto last = position(to);
  if ((!first && !from.empty()) || (!last && !to.empty())) return whole;
  if (!first && !last) return whole;
  if (!first) {
    const std::uint64_t bytes = std::min(*last, total);
    return bytes == 0 ? kNone : ByteRange{206, total - bytes, bytes};
  }
  if (last && *last < *first) return whole;
  if (*first >= total) return kNone;
  const std::uint64_t end = last ? std::min(*last, total - 1) : total - 1;
  return {206, *first, end - *first + 1};
}

}  // namespace loam::api
