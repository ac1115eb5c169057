#include "env/random.h"

#include <sys/random.h>

#include <array>
#include <string_view>

#include "base/check.h"

namespace loam::env {

void random_bytes(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    LOAM_CHECK(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::string random_id(const char* prefix) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::array<std::uint8_t, 24> bytes{};
  random_bytes(bytes);
  std::string out = prefix;
  for (const std::uint8_t b : bytes) out += kAlphabet[b % kAlphabet.size()];
  return out;
}

}  // namespace loam::env
