#include "commons/redaction_bip39.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/digest.h"

namespace loam::commons {
namespace {

constexpr std::size_t kWords = 2048;
constexpr std::string_view kEnglish =
#include "commons/redaction_bip39_english.inc"
    ;

std::array<std::string_view, kWords> words_of(std::string_view list) {
  std::array<std::string_view, kWords> words;
  for (std::string_view& word : words) {
    const std::size_t newline = list.find('\n');
    LOAM_CHECK(newline != std::string_view::npos);
    word = list.substr(0, newline);
    list.remove_prefix(newline + 1);
  }
  LOAM_CHECK(list.empty() && std::ranges::is_sorted(words));
  return words;
}

}  // namespace

std::string_view bip39_english() { return kEnglish; }

std::optional<std::uint16_t> bip39_index(std::string_view word) {
  static const std::array<std::string_view, kWords> words = words_of(kEnglish);
  const auto* const at = std::ranges::lower_bound(words, word);
  if (at == words.end() || *at != word) return std::nullopt;
  return static_cast<std::uint16_t>(at - words.begin());
}

bool bip39_checksum_holds(std::span<const std::uint16_t> indexes) {
  constexpr std::size_t kBitsPerWord = 11;
  if (indexes.size() < 12 || indexes.size() > 24 || indexes.size() % 3 != 0) return false;
  const std::size_t bits = indexes.size() * kBitsPerWord;
  const std::size_t check_bits = bits / 33;
  Bytes packed((bits + 7) / 8, 0);
  for (std::size_t bit = 0; bit < bits; ++bit) {
    const unsigned index = indexes[bit / kBitsPerWord];
    const unsigned value = index >> (kBitsPerWord - 1 - bit % kBitsPerWord) & 1U;
    packed[bit / 8] = static_cast<std::uint8_t>(packed[bit / 8] | value << (7 - bit % 8));
  }
  const std::size_t entropy_bytes = (bits - check_bits) / 8;
  const crypto::Digest digest = crypto::sha256(ByteView(packed).first(entropy_bytes));
  return digest[0] >> (8 - check_bits) == packed[entropy_bytes] >> (8 - check_bits);
}

}  // namespace loam::commons
