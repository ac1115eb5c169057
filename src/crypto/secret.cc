#include "crypto/secret.h"

#include <sodium.h>

#include <array>

#include "base/bytes.h"
#include "crypto/sodium_init.h"

namespace loam::crypto {
namespace {

// What a file may make this machine do; chosen.
constexpr std::uint32_t kPassesMax = 10, kMemoryKibMax = 1024 * 1024, kMemoryKibMin = 8;

using BoxKey = std::array<std::uint8_t, crypto_secretbox_KEYBYTES>;

Result<BoxKey> box_key(const Sealed& sealed, std::string_view passphrase) {
  init_sodium();
  BoxKey key{};
  static_assert(sizeof sealed.salt == crypto_pwhash_argon2id_SALTBYTES);
  static_assert(sizeof sealed.nonce == crypto_secretbox_NONCEBYTES);
  if (crypto_pwhash_argon2id(key.data(), key.size(), passphrase.data(), passphrase.size(),
                             sealed.salt.data(), sealed.passes,
                             std::size_t{sealed.memory_kib} * 1024,
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
    return fail(ErrorCode::kResourceExhausted,
                "make a key of the passphrase: not enough memory (256 MiB as a rule)");
  return key;
}

}  // namespace

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string new_secret(std::string_view prefix) {
  init_sodium();
  std::array<std::uint8_t, 32> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  std::string secret = std::string(prefix) + to_base64url(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return secret;
}

Result<Sealed> seal(std::string_view content, std::string_view passphrase) {
  init_sodium();
  Sealed out;
  randombytes_buf(out.salt.data(), out.salt.size());
  randombytes_buf(out.nonce.data(), out.nonce.size());
  BoxKey key = LOAM_TRY(box_key(out, passphrase));
  out.box.resize(content.size() + crypto_secretbox_MACBYTES);
  crypto_secretbox_easy(out.box.data(), as_bytes(content).data(), content.size(), out.nonce.data(),
                        key.data());
  sodium_memzero(key.data(), key.size());
  return out;
}

Result<std::string> open_sealed(const Sealed& sealed, std::string_view passphrase) {
  if (sealed.passes == 0 || sealed.passes > kPassesMax || sealed.memory_kib < kMemoryKibMin ||
      sealed.memory_kib > kMemoryKibMax || sealed.box.size() < crypto_secretbox_MACBYTES)
    return fail(ErrorCode::kInvalidArgument, "open what is sealed: its numbers are out of bounds");
  BoxKey key = LOAM_TRY(box_key(sealed, passphrase));
  Bytes content(sealed.box.size() - crypto_secretbox_MACBYTES);
  const bool opened =
      crypto_secretbox_open_easy(content.data(), sealed.box.data(), sealed.box.size(),
                                 sealed.nonce.data(), key.data()) == 0;
  sodium_memzero(key.data(), key.size());
  if (!opened)
    return fail(ErrorCode::kPermissionDenied, "open what is sealed: this passphrase does not");
  std::string out(as_text(content));
  sodium_memzero(content.data(), content.size());
  return out;
}

}  // namespace loam::crypto
