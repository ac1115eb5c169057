#include "crypto/secret.h"

#include <sodium.h>

#include <array>

#include "base/bytes.h"
#include "crypto/sodium_init.h"

namespace loam::crypto {

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

}  // namespace loam::crypto
