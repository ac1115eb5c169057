// Config files as flat lists of settings.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/toml.h"

namespace loam::node {

/// As codec::parse_toml, with a hint that fits a config file.
Result<std::vector<codec::TomlEntry>> parse_config_file(std::string_view text,
                                                        std::string_view name);

}  // namespace loam::node
