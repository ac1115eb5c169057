#include "crypto/digest.h"

// OpenSSL's newer interface allocates and reads a configuration file; a confined worker may not
// open one. This one does neither, and uses the processor's instructions for SHA-256 where it has
// them.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>

namespace loam::crypto {

struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { SHA256_Init(&state_->context); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView bytes) {
  SHA256_Update(&state_->context, bytes.data(), bytes.size());
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.data(), &state_->context);
  return digest;
}

Digest sha256(ByteView bytes) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  Digest digest;
  SHA256_Final(digest.data(), &context);
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
