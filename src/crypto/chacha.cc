#include "crypto/chacha.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "crypto/sodium_init.h"

namespace loam::crypto {

void chacha20_keystream(const Digest& key, std::uint64_t position, std::uint32_t block,
                        std::span<std::uint8_t> out) {
  init_sodium();
  static_assert(std::tuple_size<Digest>{} == crypto_stream_chacha20_ietf_KEYBYTES);
  std::array<std::uint8_t, crypto_stream_chacha20_ietf_NONCEBYTES> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<std::uint8_t>(position >> (8 * i));
  std::ranges::fill(out, std::uint8_t{0});
  crypto_stream_chacha20_ietf_xor_ic(out.data(), out.data(), out.size(), nonce.data(), block,
                                     key.data());
}

}  // namespace loam::crypto
