// Any text as TOML: refused, or entries within the limits, whose texts can be written and read
// back.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "codec/toml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace codec = loam::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = codec::parse_toml(text, "x.toml");
  if (!entries) {
    LOAM_CHECK(entries.error().code == loam::ErrorCode::kInvalidArgument ||
               entries.error().code == loam::ErrorCode::kResourceExhausted);
    return 0;
  }
  LOAM_CHECK(std::ranges::is_sorted(*entries, {}, &codec::TomlEntry::line));
  for (const codec::TomlEntry& entry : *entries) {
    LOAM_CHECK(entry.line > 0 && entry.path.size() <= codec::kTomlPathBytesMax);
    LOAM_CHECK(codec::describe_toml(entry.value).find('\n') == std::string::npos);
    const std::string* value = entry.value.as_string();
    if (value == nullptr || value->size() > 1000) continue;
    const auto again = codec::parse_toml("x = " + codec::toml_quoted(*value), "x.toml");
    LOAM_CHECK(again && again->size() == 1 && (*again)[0].value == entry.value);
  }
  return 0;
}
