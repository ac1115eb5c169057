// Comparing and making secrets.
#pragma once

#include <string>
#include <string_view>

namespace loam::crypto {

/// Takes the same time wherever two strings of equal length differ.
bool equal_constant_time(std::string_view a, std::string_view b);

/// A new key of 256 random bits: `prefix` and 43 characters of base64url.
std::string new_secret(std::string_view prefix);

}  // namespace loam::crypto
