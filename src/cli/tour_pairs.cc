#include "cli/tour_pairs.h"

#include <algorithm>

#include "base/check.h"
#include "base/parse.h"
#include "cli/node_client.h"
#include "codec/json.h"

namespace loam::cli {
namespace {

/// A line of JSON that says what this is, then one for each pair.
constexpr std::string_view kPairs =
#include "cli/tour_pairs.inc"
    ;

}  // namespace

TourPairs read_tour_pairs() {
  TourPairs out;
  for (const std::string_view line : split(trim(kPairs), '\n')) {
    const auto value = codec::parse_json(line);
    LOAM_CHECK(value.has_value());
    if (out.origin.empty()) {
      out.origin = text_at(*value, "origin");
      out.licence = text_at(*value, "licence");
      continue;
    }
    auto& part = flag_at(*value, "held_out") ? out.held_out : out.lessons;
    part.push_back({text_at(*value, "question"), text_at(*value, "answer")});
  }
  return out;
}

std::string taught_beginning(const TourPairs& pairs) {
  LOAM_CHECK(!pairs.lessons.empty());
  std::string_view out = pairs.lessons.front().answer;
  for (const TourPair& pair : pairs.lessons)
    out = out.substr(
        0, static_cast<std::size_t>(std::ranges::mismatch(out, pair.answer).in1 - out.begin()));
  return std::string(trim(out));
}

bool took_the_manner(const TourPairs& pairs, std::string_view before, std::string_view after) {
  const std::string beginning = taught_beginning(pairs);
  LOAM_CHECK(!beginning.empty());
  return trim(after).starts_with(beginning) && !trim(before).starts_with(beginning);
}

}  // namespace loam::cli
