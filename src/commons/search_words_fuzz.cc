// Anything typed: the expression holds nothing but quoted text, stars behind it and our own words.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "commons/search_words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto made = loam::commons::words_expression(loam::as_text({data, size}));
  if (!made) return 0;
  std::string outside;
  bool inside = false;
  for (const char c : *made) {
    if (c == '"')
      inside = !inside;
    else if (!inside)
      outside += c;
  }
  LOAM_CHECK(!inside);
  for (const std::string_view ours : {" OR ", " NOT "})
    for (std::size_t at = 0; (at = outside.find(ours)) != std::string::npos;)
      outside.erase(at, ours.size());
  LOAM_CHECK(outside.find_first_not_of("()* ") == std::string::npos);
  return 0;
}
