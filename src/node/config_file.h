// Config files as flat lists of settings. Home of toml++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace loam::node {

/// One `key = value` of a file.
struct ConfigEntry {
  std::string path;  // "load.context", tables included
  codec::Value value;
  unsigned line = 0;  // counted from 1
};

/// In the order of the file. Dates become text, which no setting is.
/// @error InvalidArgument  not TOML 1.0; the message has `name`, line and reason.
Result<std::vector<ConfigEntry>> parse_config_file(std::string_view text, std::string_view name);

/// What a person would call the value: `5`, `true`, `[...]`.
std::string describe(const codec::Value& value);

}  // namespace loam::node
