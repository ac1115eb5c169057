// UTF-8 at the edges: what comes in must be valid, what goes out is never split.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loam {

/// True if `text` is well-formed UTF-8: no overlong form, surrogate or value past U+10FFFF.
/// @source RFC 3629.
bool is_valid_utf8(std::string_view text);

/// Length of the longest prefix that ends on a code point border, when more bytes may follow:
/// only a well-begun but unfinished last code point (at most 3 bytes) is held back.
std::size_t complete_utf8_prefix(std::string_view text);

/// `text` with each broken byte, and an unfinished code point as a whole, replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace loam
