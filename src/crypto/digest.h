// SHA-256. Home of OpenSSL, with http.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::crypto {

/// A SHA-256 value, 32 bytes.
using Digest = std::array<std::uint8_t, 32>;

/// @source FIPS 180-4.
Digest sha256(ByteView bytes);
std::string digest_hex(const Digest& digest);
/// @error InvalidArgument  not 64 hexadecimal characters.
Result<Digest> parse_digest(std::string_view hex);

/// Hashes a stream piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256& update(ByteView bytes);
  /// Call once; then only destruction is allowed.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loam::crypto
