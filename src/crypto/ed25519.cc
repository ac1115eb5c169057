#include "crypto/ed25519.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "crypto/sodium_init.h"

namespace loam::crypto {
namespace {

using Number = std::array<std::uint8_t, 32>;  // little-endian
using NumberView = std::span<const std::uint8_t, 32>;

// The group's order L = 2^252 + 27742317777372353535851937790883648493, and the field's prime
// 2^255 - 19. @source RFC 8032 section 5.1.
constexpr Number kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                           0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                           0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
constexpr Number kPrime = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
// The y of the eight points whose order divides 8: order 4, 1, 2, and two of order 8. A sign bit
// makes two points of each but the second and the third.
constexpr std::array<Number, 5> kSmallOrderY = {{
    {},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}};

bool is_less(NumberView a, const Number& b) {
  return std::ranges::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

/// Canonical in encoding and not of small order, if it is a point at all. With x = 0 the sign bit
/// would be free, but those two points are of small order.
bool is_unambiguous_point(NumberView encoded) {
  Number y;
  std::ranges::copy(encoded, y.begin());
  y.back() &= 0x7f;
  return is_less(y, kPrime) && std::ranges::find(kSmallOrderY, y) == kSmallOrderY.end();
}

bool library_verifies(const PublicKey& key, ByteView message, const Signature& signature) {
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     key.data()) == 0;
}

/// libsodium 1.0.18 computes R = SB - kA and compares bytes; newer ones multiply by the
/// cofactor and so accept more. A node with such a library would disagree with the others about
/// what is signed, and must not start to: case 4 of 2020/1244 holds with the cofactor only.
void require_equation_without_cofactor() {
  static const bool without_cofactor = [] {
    init_sodium();
    constexpr PublicKey kKey = {0xcd, 0xb2, 0x67, 0xce, 0x40, 0xc5, 0xcd, 0x45, 0x30, 0x6f, 0xa5,
                                0xd2, 0xf2, 0x97, 0x31, 0x45, 0x93, 0x87, 0xdb, 0xf9, 0xeb, 0x93,
                                0x3b, 0x7b, 0xd5, 0xae, 0xd9, 0xa7, 0x65, 0xb8, 0x8d, 0x4d};
    constexpr std::array<std::uint8_t, 32> kMessage = {
        0xe4, 0x7d, 0x62, 0xc6, 0x3f, 0x83, 0x0d, 0xc7, 0xa6, 0x85, 0x1a,
        0x0b, 0x1f, 0x33, 0xae, 0x4b, 0xb2, 0xf5, 0x07, 0xfb, 0x6c, 0xff,
        0xec, 0x40, 0x11, 0xea, 0xcc, 0xd5, 0x5b, 0x53, 0xf5, 0x6c};
    constexpr Signature kSignature = {
        0x16, 0x0a, 0x1c, 0xb0, 0xdc, 0x9c, 0x02, 0x58, 0xcd, 0x0a, 0x7d, 0x23, 0xe9,
        0x4d, 0x8f, 0xa8, 0x78, 0xbc, 0xb1, 0x92, 0x5f, 0x2c, 0x64, 0x24, 0x6b, 0x2d,
        0xee, 0x17, 0x96, 0xbe, 0xd5, 0x12, 0x5e, 0xc6, 0xbc, 0x98, 0x2a, 0x26, 0x9b,
        0x72, 0x3e, 0x06, 0x68, 0xe5, 0x40, 0x91, 0x1a, 0x9a, 0x6a, 0x58, 0x92, 0x1d,
        0x69, 0x25, 0xe4, 0x34, 0xab, 0x10, 0xaa, 0x79, 0x40, 0x55, 0x1a, 0x09};
    return !library_verifies(kKey, kMessage, kSignature);
  }();
  LOAM_CHECK(without_cofactor);
}

}  // namespace

SigningKey SigningKey::generate() {
  init_sodium();
  std::array<std::uint8_t, 32> seed;
  randombytes_buf(seed.data(), seed.size());
  SigningKey key = from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  return key;
}

SigningKey SigningKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
  init_sodium();
  SigningKey key;
  key.seed_ = seed;
  crypto_sign_seed_keypair(key.public_.data(), key.secret_.data(), key.seed_.data());
  return key;
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : seed_(other.seed_), secret_(other.secret_), public_(other.public_) {
  other.wipe();
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  if (this == &other) return *this;
  seed_ = other.seed_;
  secret_ = other.secret_;
  public_ = other.public_;
  other.wipe();
  return *this;
}

SigningKey::~SigningKey() { wipe(); }

void SigningKey::wipe() noexcept {
  sodium_memzero(seed_.data(), seed_.size());
  sodium_memzero(secret_.data(), secret_.size());
  public_ = {};
}

Signature SigningKey::sign(ByteView message) const {
  LOAM_CHECK(public_ != PublicKey{});  // moved from
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  require_equation_without_cofactor();
  const auto r = std::span(signature).first<32>();
  const auto s = std::span(signature).last<32>();
  return is_less(s, kOrder) && is_unambiguous_point(key) && is_unambiguous_point(r) &&
         library_verifies(key, message, signature);
}

bool is_valid_public_key(const PublicKey& key) {
  init_sodium();
  PublicKey doubled;  // adding is what the library offers that asks for a point on the curve only
  return is_unambiguous_point(key) &&
         crypto_core_ed25519_add(doubled.data(), key.data(), key.data()) == 0;
}

}  // namespace loam::crypto
