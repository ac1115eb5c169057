// Text between the rows of a page, where SQLite leaves what was erased: for tests of what is done
// about it. A real remnant takes many rows in the right order.
#pragma once

#include <string>
#include <string_view>

#include "env/disk.h"

namespace loam::store::testing {

/// Writes `text` into the gap of the first page of a closed database that has room for it.
/// @return whether one has.
/// @source SQLite's file format, b-tree pages: 2 bytes at 3 count the cells, 2 bytes at 5 say where
///         they begin; the gap is between the cells' pointers (from byte 8 of a leaf) and them.
inline bool plant_in_gap(const env::Path& file, std::string_view text) {
  constexpr std::size_t kPageBytes = 4096;
  std::string content = env::read_file(file, std::uint64_t{1} << 30).value();
  for (std::size_t page = kPageBytes; page + kPageBytes <= content.size(); page += kPageBytes) {
    const auto number = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(content[page + at])) << 8U |
             static_cast<unsigned char>(content[page + at + 1]);
    };
    const bool leaf = content[page] == '\x0d' || content[page] == '\x0a';
    const std::size_t begin = 8 + 2 * number(3), end = number(5);
    if (!leaf || begin + text.size() > end || end > kPageBytes) continue;
    content.replace(page + begin, text.size(), text);
    return env::write_file_atomic(file, content, 0600).has_value();
  }
  return false;
}

}  // namespace loam::store::testing
