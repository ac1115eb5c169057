// What names a record, a network and a log.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "crypto/ed25519.h"

namespace loam::ledger {

/// SHA-256 of a record's bytes as stored, header and signature together.
struct RecordId {
  crypto::Digest digest{};
  friend auto operator<=>(const RecordId&, const RecordId&) = default;
};

/// "loam1" and the digest in lower-case base32 without padding: 57 characters.
std::string to_text(const RecordId& id);
/// Accepts what to_text writes. @error InvalidArgument  anything else.
Result<RecordId> parse_record_id(std::string_view text);

/// Tells networks apart, so that a record of one means nothing in another.
using NetId = std::array<std::uint8_t, 16>;
/// The public commons: the first 16 bytes of SHA-256("loam.net.public"). @source DESIGN.md 8.2.
inline constexpr NetId kPublicNet = {0xc4, 0xd0, 0x99, 0xea, 0x62, 0x48, 0xed, 0x46,
                                     0x3f, 0x26, 0x33, 0x01, 0x5c, 0x3e, 0xa5, 0x56};

/// "loam/NET/KEY", both in lower-case hexadecimal: the name under which a log signs.
std::string log_origin(const NetId& net, const crypto::PublicKey& log_key);

}  // namespace loam::ledger
