// The only door to chance.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace loam::env {

/// Fills `out` with bytes from the kernel's generator; dies if there is none. Thread-safe.
void random_bytes(std::span<std::uint8_t> out);

/// `prefix` followed by 24 random characters of [A-Za-z0-9], e.g. ids of replies. Thread-safe.
std::string random_id(const char* prefix);

}  // namespace loam::env
