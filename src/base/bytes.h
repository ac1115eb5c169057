// Byte strings and their text forms.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loam {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The same memory seen as bytes or as characters; the result must not outlive `text`/`bytes`.
ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);

/// Lower-case hexadecimal, two characters a byte.
std::string to_hex(ByteView bytes);
/// @error InvalidArgument  odd length or a character outside [0-9a-fA-F].
Result<Bytes> from_hex(std::string_view text);

/// Base64 with padding. @source RFC 4648 section 4.
std::string to_base64(ByteView bytes);
/// URL-safe alphabet, no padding. @source RFC 4648 section 5.
std::string to_base64url(ByteView bytes);
/// Accepts exactly what to_base64 writes. @error InvalidArgument  anything else.
Result<Bytes> from_base64(std::string_view text);

}  // namespace loam
