#include "tuning/quoted.h"

#include "base/utf8.h"
#include "codec/json_items.h"

namespace loam::tuning {

std::string quoted(std::string_view word) {
  constexpr std::size_t kBytesMax = 120;  // chosen: longer than any name of a part in a real model
  std::string out;
  if (word.size() <= kBytesMax) {
    codec::append_json_string(out, word);
    return out;
  }
  const std::string_view begin = word.substr(0, kBytesMax);
  codec::append_json_string(out, begin.substr(0, complete_utf8_prefix(begin)));
  return out + "...";
}

}  // namespace loam::tuning
