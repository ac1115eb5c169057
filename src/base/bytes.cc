#include "base/bytes.h"

#include <array>

namespace loam {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a character of kBase64 stands for; 255: it is none.
constexpr auto kBase64Values = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(255);
  for (std::size_t i = 0; i < kBase64.size(); ++i)
    out.at(static_cast<std::uint8_t>(kBase64[i])) = static_cast<std::uint8_t>(i);
  return out;
}();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode64(ByteView bytes, std::string_view alphabet, bool pad) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  std::size_t at = 0;
  const auto put = [&](std::uint32_t three, std::size_t signs) {
    for (std::size_t k = 0; k < signs; ++k) out[at++] = alphabet[three >> (18 - 6 * k) & 63U];
  };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3)
    put(std::uint32_t{bytes[i]} << 16 | std::uint32_t{bytes[i + 1]} << 8 | bytes[i + 2], 4);
  const std::size_t left = bytes.size() - i;
  if (left == 1) put(std::uint32_t{bytes[i]} << 16, 2);
  if (left == 2) put(std::uint32_t{bytes[i]} << 16 | std::uint32_t{bytes[i + 1]} << 8, 3);
  if (!pad) out.resize(at);
  return out;
}

}  // namespace

ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(ByteView bytes) {
  std::string out(bytes.size() * 2, '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kHex[bytes[i] >> 4];
    out[2 * i + 1] = kHex[bytes[i] & 15U];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(ErrorCode::kInvalidArgument, "hex: odd length");
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(ErrorCode::kInvalidArgument, "hex: bad character");
    out.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return out;
}

std::string to_base64(ByteView bytes) { return encode64(bytes, kBase64, true); }

std::string to_base64url(ByteView bytes) { return encode64(bytes, kBase64Url, false); }

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(ErrorCode::kInvalidArgument, "base64: bad length");
  const std::size_t pad = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::string_view signs = text.substr(0, text.size() - pad);
  Bytes out(signs.size() * 3 / 4);
  std::size_t at = 0;
  std::uint32_t bad = 0;
  const auto value = [&](std::size_t i) -> std::uint32_t {
    const std::uint8_t found = kBase64Values[static_cast<std::uint8_t>(signs[i])];
    bad |= found & 0xc0U;
    return found;
  };
  std::size_t i = 0;
  for (; i + 4 <= signs.size(); i += 4) {
    const std::uint32_t three =
        value(i) << 18 | value(i + 1) << 12 | value(i + 2) << 6 | value(i + 3);
    out[at++] = static_cast<std::uint8_t>(three >> 16);
    out[at++] = static_cast<std::uint8_t>(three >> 8);
    out[at++] = static_cast<std::uint8_t>(three);
  }
  std::uint32_t held = 0;  // what is left: two signs for one byte, three for two
  for (; i < signs.size(); ++i) held = held << 6 | value(i);
  if (bad != 0) return fail(ErrorCode::kInvalidArgument, "base64: bad character");
  if ((held & (pad == 2 ? 0xfU : pad == 1 ? 3U : 0U)) != 0)
    return fail(ErrorCode::kInvalidArgument, "base64: stray bits");
  if (pad == 2) out[at] = static_cast<std::uint8_t>(held >> 4);
  if (pad == 1) {
    out[at] = static_cast<std::uint8_t>(held >> 10);
    out[at + 1] = static_cast<std::uint8_t>(held >> 2);
  }
  return out;
}

}  // namespace loam
