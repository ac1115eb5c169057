// Ed25519 signatures under one strict rule, so that every verifier gives the same verdict.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace loam::crypto {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

/// A private key, wiped from memory when destroyed or moved from; then only assignment and
/// destruction are allowed.
class SigningKey {
 public:
  /// 32 bytes of the kernel's randomness become a key.
  static SigningKey generate();
  /// The key of a 32-byte seed. @source RFC 8032 section 5.1.5.
  static SigningKey from_seed(const std::array<std::uint8_t, 32>& seed);
  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&& other) noexcept;
  ~SigningKey();

  const PublicKey& public_key() const { return public_; }
  const std::array<std::uint8_t, 32>& seed() const { return seed_; }
  /// Deterministic. Thread-safe. @source RFC 8032 section 5.1.6.
  Signature sign(ByteView message) const;

 private:
  SigningKey() = default;
  void wipe() noexcept;

  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 64> secret_{};  // seed and public key, as the library wants them
  PublicKey public_{};
};

/// True only if the signature is right and nothing in it is ambiguous: S below the group's order, A
/// and R in canonical encoding, neither of small order, and the equation without cofactor. Points
/// of mixed order are allowed, as the equation decides about them. The first call stops the process
/// if the library multiplies by the cofactor, as libsodium newer than 1.0.18 does. Thread-safe.
/// @source ledger reference section 7.3; "Taming the many EdDSAs" (2020/1244) for the edge cases.
bool verify(const PublicKey& key, ByteView message, const Signature& signature);

/// Whether a public key may be used at all: canonical, on the curve, not of small order.
/// Thread-safe.
bool is_valid_public_key(const PublicKey& key);

}  // namespace loam::crypto
