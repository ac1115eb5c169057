#include "crypto/digest.h"

#include <sodium.h>

#include <algorithm>

#include "crypto/sodium_init.h"

namespace loam::crypto {

struct Sha256::State {
  crypto_hash_sha256_state sodium;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  init_sodium();
  crypto_hash_sha256_init(&state_->sodium);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView bytes) {
  crypto_hash_sha256_update(&state_->sodium, bytes.data(), bytes.size());
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  crypto_hash_sha256_final(&state_->sodium, digest.data());
  return digest;
}

Digest sha256(ByteView bytes) {
  init_sodium();
  Digest digest;
  crypto_hash_sha256(digest.data(), bytes.data(), bytes.size());
  return digest;
}

std::string digest_hex(const Digest& digest) { return to_hex(digest); }

Result<Digest> parse_digest(std::string_view hex) {
  const auto bytes = from_hex(hex);
  Digest digest;
  if (!bytes || bytes->size() != digest.size())
    return fail(ErrorCode::kInvalidArgument, "sha256: not 64 hexadecimal characters");
  std::ranges::copy(*bytes, digest.begin());
  return digest;
}

}  // namespace loam::crypto
