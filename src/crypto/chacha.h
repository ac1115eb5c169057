// The ChaCha20 keystream as a random-access generator.
#pragma once

#include <cstdint>
#include <span>

#include "crypto/digest.h"

namespace loam::crypto {

/// Fills `out` with the keystream of `key` and a nonce of `position` (64-bit little-endian)
/// followed by four zero bytes, beginning at 64-byte block `block`.
/// @source RFC 8439 section 2.4 (IETF variant).
void chacha20_keystream(const Digest& key, std::uint64_t position, std::uint32_t block,
                        std::span<std::uint8_t> out);

}  // namespace loam::crypto
