// Bodies: the erasable part of a record. A header holds only a salted commitment to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codec/value.h"
#include "crypto/digest.h"

namespace loam::ledger {

inline constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;  // DESIGN.md 8.2
inline constexpr std::size_t kMessagesMax = 1000;

using Salt = std::array<std::uint8_t, 32>;

/// A body with the salt that hides it: both go when it is erased.
struct SaltedBody {
  Salt salt{};
  Bytes body;
};

/// SHA-256("loam.body.v1" || 0x00 || salt || body): says nothing about the body without the salt.
crypto::Digest commitment(const SaltedBody& body);
/// The smallest b with size <= 2^b: tells how large a body is without telling its size.
std::uint8_t size_bucket(std::size_t bytes);

/// Who wrote a message. Unknown counts as synthetic. @source data-and-training reference, R1.
enum class Origin : std::uint8_t { kHuman, kModel, kMixed, kUnknown };
std::string_view origin_name(Origin origin);

struct Message {
  std::string role;  // "system", "user", "assistant", ...
  std::string content;
  Origin origin = Origin::kUnknown;
  friend bool operator==(const Message&, const Message&) = default;
};

/// What a data or edit record is about.
struct Conversation {
  std::vector<Message> messages;
  std::string model_name;    // for people; the header has the hashes
  std::string language;      // BCP 47, decided once; "und" if it cannot be told
  std::uint32_t masked = 0;  // places that redaction masked
  /// What a replay needs; null unless nothing was masked or edited. @source DESIGN.md 8.3.
  codec::Value replay = {};
  friend bool operator==(const Conversation&, const Conversation&) = default;
};

/// The one encoding: deterministic CBOR with text keys.
Bytes encode_conversation(const Conversation& conversation);
/// Strict. @error InvalidArgument  another shape, a field that is not known, a float.
/// @error ResourceExhausted  larger than kBodyBytesMax.
Result<Conversation> parse_conversation(ByteView body);

}  // namespace loam::ledger
