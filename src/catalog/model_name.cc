#include <algorithm>

#include "base/format.h"
#include "base/parse.h"
#include "catalog/catalog.h"

namespace loam::catalog {
namespace {

constexpr std::size_t kNameBytesMax = 128;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_name_character(char c) {
  return is_alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '/' || c == '-';
}

}  // namespace

Result<std::string> checked_name(std::string_view name) {
  std::string lower = to_lower_ascii(name);
  // Names stand in URLs and in answers, never in a path; ".." and "//" would still be confusing.
  const bool usable = !lower.empty() && lower.size() <= kNameBytesMax &&
                      is_alphanumeric(lower.front()) && lower.back() != '/' &&
                      lower.back() != ':' && std::ranges::all_of(lower, is_name_character) &&
                      !lower.contains("..") && !lower.contains("//");
  if (!usable)
    return fail(ErrorCode::kInvalidArgument, "model name: not usable",
                format("up to {} of the characters a-z 0-9 . _ : / - beginning with a letter or "
                       "digit, such as smollm2:135m",
                       kNameBytesMax));
  return lower;
}

}  // namespace loam::catalog
