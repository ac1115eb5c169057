// Comparing, making and sealing secrets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::crypto {

/// Takes the same time wherever two strings of equal length differ.
bool equal_constant_time(std::string_view a, std::string_view b);

/// A new key of 256 random bits: `prefix` and 43 characters of base64url.
std::string new_secret(std::string_view prefix);

/// Content that only a passphrase opens: argon2id makes the key, XSalsa20-Poly1305 seals.
/// @source RFC 9106; libsodium's secretbox.
struct Sealed {
  // Three passes over 256 MiB: libsodium's "moderate", most of a second.
  std::uint32_t passes = 3;
  std::uint32_t memory_kib = 256 * 1024;
  std::array<std::uint8_t, 16> salt{};
  std::array<std::uint8_t, 24> nonce{};
  Bytes box;
};
/// @error ResourceExhausted  the memory for it is not there.
Result<Sealed> seal(std::string_view content, std::string_view passphrase);
/// @error PermissionDenied  another passphrase, or the box was changed. @error ResourceExhausted as
///        seal(). @error InvalidArgument  it asks for more than 10 passes or 1 GiB, or for too
///        little.
Result<std::string> open_sealed(const Sealed& sealed, std::string_view passphrase);

}  // namespace loam::crypto
