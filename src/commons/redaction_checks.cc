#include "commons/redaction_checks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/parse.h"
#include "crypto/digest.h"

namespace loam::commons {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
int digit_value(char c) { return c - '0'; }

struct CardRange {
  int digits;  // how many leading digits are compared
  int low;
  int high;
  std::size_t length_min;
  std::size_t length_max;
};
/// Issuers' ranges. @source ISO/IEC 7812 registrations as the networks publish them.
constexpr CardRange kCardRanges[] = {
    {1, 4, 4, 16, 16},                                 // Visa
    {2, 51, 55, 16, 16},     {4, 2221, 2720, 16, 16},  // Mastercard
    {2, 34, 34, 15, 15},     {2, 37, 37, 15, 15},      // American Express
    {4, 6011, 6011, 16, 19}, {3, 644, 649, 16, 19},    // Discover
    {2, 65, 65, 16, 19},     {3, 300, 305, 14, 16},    // Discover, Diners Club
    {2, 36, 36, 14, 16},     {2, 38, 39, 14, 16},      // Diners Club
    {4, 3528, 3589, 16, 19}, {2, 62, 62, 16, 19},      // JCB, UnionPay
    {4, 2200, 2204, 16, 19}, {2, 60, 60, 16, 16},      // Mir, RuPay
    {2, 81, 82, 16, 16},     {3, 508, 508, 16, 16},    // RuPay
    {4, 9792, 9792, 16, 16},                           // Troy
    {4, 5018, 5018, 12, 19}, {4, 5020, 5020, 12, 19},  // Maestro
    {4, 5038, 5038, 12, 19}, {4, 5893, 5893, 12, 19},  //
    {4, 6304, 6304, 12, 19}, {4, 6759, 6763, 12, 19},  //
};

struct Country {
  std::array<char, 2> code;
  std::uint8_t length;
};
constexpr Country kCountries[] = {
    {{'A', 'D'}, 24}, {{'A', 'E'}, 23}, {{'A', 'L'}, 28}, {{'A', 'T'}, 20}, {{'A', 'Z'}, 28},
    {{'B', 'A'}, 20}, {{'B', 'E'}, 16}, {{'B', 'G'}, 22}, {{'B', 'H'}, 22}, {{'B', 'I'}, 27},
    {{'B', 'R'}, 29}, {{'B', 'Y'}, 28}, {{'C', 'H'}, 21}, {{'C', 'R'}, 22}, {{'C', 'Y'}, 28},
    {{'C', 'Z'}, 24}, {{'D', 'E'}, 22}, {{'D', 'J'}, 27}, {{'D', 'K'}, 18}, {{'D', 'O'}, 28},
    {{'E', 'E'}, 20}, {{'E', 'G'}, 29}, {{'E', 'S'}, 24}, {{'F', 'I'}, 18}, {{'F', 'K'}, 18},
    {{'F', 'O'}, 18}, {{'F', 'R'}, 27}, {{'G', 'B'}, 22}, {{'G', 'E'}, 22}, {{'G', 'I'}, 23},
    {{'G', 'L'}, 18}, {{'G', 'R'}, 27}, {{'G', 'T'}, 28}, {{'H', 'N'}, 28}, {{'H', 'R'}, 21},
    {{'H', 'U'}, 28}, {{'I', 'E'}, 22}, {{'I', 'L'}, 23}, {{'I', 'Q'}, 23}, {{'I', 'S'}, 26},
    {{'I', 'T'}, 27}, {{'J', 'O'}, 30}, {{'K', 'W'}, 30}, {{'K', 'Z'}, 20}, {{'L', 'B'}, 28},
    {{'L', 'C'}, 32}, {{'L', 'I'}, 21}, {{'L', 'T'}, 20}, {{'L', 'U'}, 20}, {{'L', 'V'}, 21},
    {{'L', 'Y'}, 25}, {{'M', 'C'}, 27}, {{'M', 'D'}, 24}, {{'M', 'E'}, 22}, {{'M', 'K'}, 19},
    {{'M', 'N'}, 20}, {{'M', 'R'}, 27}, {{'M', 'T'}, 31}, {{'M', 'U'}, 30}, {{'N', 'I'}, 28},
    {{'N', 'L'}, 18}, {{'N', 'O'}, 15}, {{'O', 'M'}, 23}, {{'P', 'K'}, 24}, {{'P', 'L'}, 28},
    {{'P', 'S'}, 29}, {{'P', 'T'}, 25}, {{'Q', 'A'}, 29}, {{'R', 'O'}, 24}, {{'R', 'S'}, 22},
    {{'R', 'U'}, 33}, {{'S', 'A'}, 24}, {{'S', 'C'}, 31}, {{'S', 'D'}, 18}, {{'S', 'E'}, 24},
    {{'S', 'I'}, 19}, {{'S', 'K'}, 24}, {{'S', 'M'}, 27}, {{'S', 'O'}, 23}, {{'S', 'T'}, 25},
    {{'S', 'V'}, 28}, {{'T', 'L'}, 23}, {{'T', 'N'}, 24}, {{'T', 'R'}, 26}, {{'U', 'A'}, 29},
    {{'V', 'A'}, 22}, {{'V', 'G'}, 24}, {{'X', 'K'}, 20}, {{'Y', 'E'}, 30},
};

}  // namespace

bool luhn_holds(std::string_view digits) {
  if (digits.size() < 2 || !std::ranges::all_of(digits, is_digit)) return false;
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int value = digit_value(digits[digits.size() - 1 - i]);
    const int doubled = value * 2 - (value > 4 ? 9 : 0);
    sum += i % 2 == 0 ? value : doubled;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  if (digits.size() < 12 || digits.size() > 19 || !luhn_holds(digits)) return false;
  return std::ranges::any_of(kCardRanges, [&](const CardRange& range) {
    int lead = 0;
    for (int i = 0; i < range.digits; ++i)
      lead = lead * 10 + digit_value(digits[static_cast<std::size_t>(i)]);
    return lead >= range.low && lead <= range.high && digits.size() >= range.length_min &&
           digits.size() <= range.length_max;
  });
}

std::size_t iban_length(std::string_view iban) {
  if (iban.size() < 2) return 0;
  const auto* const found = std::ranges::find_if(kCountries, [&](const Country& country) {
    return country.code[0] == iban[0] && country.code[1] == iban[1];
  });
  return found == std::end(kCountries) ? 0 : found->length;
}

bool iban_holds(std::string_view iban) {
  if (iban.size() < 4 || iban.size() != iban_length(iban)) return false;
  if (!is_digit(iban[2]) || !is_digit(iban[3])) return false;
  unsigned remainder = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    if (is_digit(c))
      remainder = (remainder * 10 + static_cast<unsigned>(digit_value(c))) % 97;
    else if (is_upper(c))
      remainder = (remainder * 100 + static_cast<unsigned>(c - 'A' + 10)) % 97;
    else
      return false;
  }
  return remainder == 1;
}

bool base58check_holds(std::string_view text, std::size_t payload_bytes) {
  constexpr std::string_view kAlphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  if (text.size() > 2 * (payload_bytes + 4)) return false;
  Bytes number(payload_bytes + 4, 0);  // big endian
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return false;
    auto carry = static_cast<unsigned>(digit);
    for (std::size_t i = number.size(); i-- > 0;) {
      carry += number[i] * 58U;
      number[i] = static_cast<std::uint8_t>(carry & 0xFFU);
      carry >>= 8U;
    }
    if (carry != 0) return false;
  }
  const ByteView payload = ByteView(number).first(payload_bytes);
  const crypto::Digest check = crypto::sha256(crypto::sha256(payload));
  return std::equal(number.end() - 4, number.end(), check.begin());
}

bool bech32_holds(std::string_view text, std::string_view prefix) {
  constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3B6A57B2, 0x26508E6D, 0x1EA119FA,
                                                       0x3D4233DD, 0x2A1462B3};
  if (!text.starts_with(prefix) || text.size() < prefix.size() + 7) return false;
  if (text[prefix.size()] != '1') return false;
  std::uint32_t sum = 1;
  const auto add = [&](std::uint32_t value) {
    const std::uint32_t top = sum >> 25U;
    sum = (sum & 0x1FFFFFFU) << 5U ^ value;
    for (std::size_t i = 0; i < kGenerator.size(); ++i)
      if ((top >> i & 1U) != 0) sum ^= kGenerator[i];
  };
  for (const char c : prefix) add(static_cast<std::uint8_t>(c) >> 5U);
  add(0);
  for (const char c : prefix) add(static_cast<std::uint8_t>(c) & 31U);
  for (const char c : text.substr(prefix.size() + 1)) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    add(static_cast<std::uint32_t>(value));
  }
  return sum == 1;
}

bool is_ipv6_of_a_host(std::string_view text) {
  if (text.size() < 3 || text.size() > 45) return false;
  in6_addr address{};
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return false;
  const std::uint8_t* const byte = address.s6_addr;
  const bool almost_zero = std::all_of(byte, byte + 15, [](std::uint8_t b) { return b == 0; });
  if (almost_zero) return false;  // unspecified, loopback
  if (text.find('.') != std::string_view::npos) return true;

  std::vector<std::string_view> groups = split(text, ':');
  std::erase(groups, "");
  const auto wide = [](std::string_view group) { return group.size() >= 3; };
  const bool digit_somewhere = std::ranges::any_of(text, is_digit);
  if (text.find("::") == std::string_view::npos) return std::ranges::any_of(groups, wide);
  const bool global = (byte[0] & 0xE0U) == 0x20U && groups.front().size() == 4;
  const bool local = (byte[0] & 0xFEU) == 0xFCU && groups.front().size() == 4;
  const bool link = byte[0] == 0xFE && (byte[1] & 0xC0U) == 0x80U;
  if (global || local || link) return digit_somewhere && !text.starts_with(':');
  return digit_somewhere && groups.size() >= 3 && std::ranges::any_of(groups, wide);
}

bool looks_drawn(std::string_view token) {
  constexpr std::size_t kShortest = 16;  // chosen: 16 characters of base 32 are 80 bits
  if (token.size() < kShortest) return false;
  const auto kind = [](char c) { return is_digit(c) ? 1 : is_lower(c) ? 2 : is_upper(c) ? 3 : 0; };
  std::array<std::size_t, 256> count{};
  std::array<std::size_t, 4> of_kind{};
  std::size_t changes = 0;
  int last = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    ++count[static_cast<std::uint8_t>(token[i])];
    ++of_kind[static_cast<std::size_t>(kind(token[i]))];
    if (kind(token[i]) == 0) continue;  // signs join words: path/to/key1.pem
    if (last != 0 && kind(token[i]) != last) ++changes;
    last = kind(token[i]);
  }
  if (of_kind[2] + of_kind[3] == 0) return false;
  if (of_kind[1] == 0 && (of_kind[2] == 0 || of_kind[3] == 0)) return false;
  // The chance that two characters drawn from it are equal, unbiased; hexadecimal has 1 in 16.
  std::size_t equal_pairs = 0;
  for (const std::size_t n : count) equal_pairs += n > 0 ? n * (n - 1) : 0;
  const bool varied = equal_pairs * 8 <= token.size() * (token.size() - 1);
  // CamelCase changes at each word too, hence twice as often where both cases are.
  const std::size_t share = of_kind[2] > 0 && of_kind[3] > 0 ? 2 : 1;
  const bool mixed = changes * 5 >= token.size() * share;
  return varied && mixed;
}

bool is_placeholder(std::string_view value) {
  static constexpr std::string_view kInside[] = {
      "your_",    "your-",       "yourapi",   "yourkey", "yourtoken", "yoursecret",
      "yourpass", "xxxx",        "****",      "...",     "…",         "•",
      "<",        "placeholder", "replace",   "insert-", "insert_",   "redacted",
      "changeme", "change_me",   "change-me", "dummy"};
  static constexpr std::string_view kWhole[] = {
      "password",  "passwd", "passwort", "secret", "token",  "string", "none",   "null",
      "undefined", "sha256", "sha512",   "base64", "argon2", "bcrypt", "oauth2", "utf8"};
  const std::string lower = to_lower_ascii(value);
  if (std::ranges::any_of(kInside, [&](std::string_view w) { return lower.contains(w); }))
    return true;
  if (value.contains("EXAMPLE")) return true;  // AWS's own samples end so
  if (std::ranges::find(kWhole, lower) != std::end(kWhole)) return true;
  std::array<bool, 256> seen{};
  for (const char c : lower) seen[static_cast<std::uint8_t>(c)] = true;
  return std::ranges::count(seen, true) <= 3;
}

}  // namespace loam::commons
