// TOML 1.0 as a flat list of settings, with limits. Home of toml++: its exceptions end here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace loam::codec {

/// One `key = value` of a file.
struct TomlEntry {
  std::string path;  // "load.context", tables included
  Value value;
  unsigned line = 0;  // counted from 1
};

inline constexpr std::size_t kTomlBytesMax = 1U << 20U;  // chosen: far past what a person writes
inline constexpr std::size_t kTomlPathBytesMax = 128;    // of one key with its tables

/// In the order of the file. Dates, and tables inside arrays, become null, which no setting is. A
/// table without keys leaves no trace.
/// @param name  of the file, for messages.
/// @error InvalidArgument  not TOML 1.0; the message has `name`, line and reason.
/// @error ResourceExhausted  longer or more nested than a settings file needs to be.
Result<std::vector<TomlEntry>> parse_toml(std::string_view text, std::string_view name);

/// What a person would call the value, on one short line: `5`, `true`, `"text"`, `[...]`.
std::string describe_toml(const Value& value);

/// `text`, which must be UTF-8, as a string of one line that reads back as the same.
std::string toml_quoted(std::string_view text);

}  // namespace loam::codec
