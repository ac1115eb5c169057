#include "ledger/record_id.h"

#include "base/format.h"

namespace loam::ledger {
namespace {

constexpr std::string_view kPrefix = "loam1";
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648 section 6
constexpr std::size_t kCharacters = 52;  // of 256 bits; the last one holds a single bit

}  // namespace

std::string to_text(const RecordId& id) {
  std::string out(kPrefix);
  out.resize(kPrefix.size() + kCharacters);
  std::size_t at = kPrefix.size();
  unsigned held = 0, bits = 0;
  for (const std::uint8_t byte : id.digest) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5) out[at++] = kAlphabet[held >> (bits - 5) & 31U];
  }
  out[at] = kAlphabet[held << (5 - bits) & 31U];
  return out;
}

Result<RecordId> parse_record_id(std::string_view text) {
  const auto refuse = [] {
    return fail(ErrorCode::kInvalidArgument,
                "not a record id: it is \"loam1\" and 52 characters of a-z and 2-7");
  };
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + kCharacters) return refuse();
  RecordId id;
  unsigned held = 0, bits = 0;
  std::size_t at = 0;
  for (const char c : text.substr(kPrefix.size())) {
    const bool is_letter = c >= 'a' && c <= 'z';
    if (!is_letter && (c < '2' || c > '7')) return refuse();
    held = held << 5 | static_cast<unsigned>(is_letter ? c - 'a' : c - '2' + 26);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    id.digest.at(at++) = static_cast<std::uint8_t>(held >> bits);
  }
  if ((held & ((1U << bits) - 1U)) != 0) return refuse();  // another spelling of the same id
  return id;
}

std::string log_origin(const NetId& net, const crypto::PublicKey& log_key) {
  return format("loam/{}/{}", to_hex(net), to_hex(log_key));
}

}  // namespace loam::ledger
