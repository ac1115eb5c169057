// A stranger's word inside one of our messages.
#pragma once

#include <string>
#include <string_view>

namespace loam::tuning {

/// `word` in quotation marks, as JSON writes it, so that no control character comes through; at
/// most 120 of its bytes, whole characters.
std::string quoted(std::string_view word);

}  // namespace loam::tuning
