// Records: what is signed. Format and test vectors: docs/formats/record.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/record_id.h"

namespace loam::ledger {

/// The numbers are part of the format.
enum class Kind : std::uint8_t {
  kData = 1,  // a prompt and its result
  kEdit = 2,  // a person's better version of an answer
  kVote = 3,
  kReceipt = 4,
  kAttestation = 5,
  kPublication = 6,
  kKey = 7,
  kNode = 8,
  kRetraction = 9,
  kCheckpoint = 10,
  kEvidence = 11,
};
/// "data", "edit", "vote" ...
std::string_view kind_name(Kind kind);
/// @error InvalidArgument  names those that there are.
Result<Kind> parse_kind(std::string_view name);

/// What a record may be used for; bits of field 15.
struct Scope {
  bool train = false;
  bool eval = false;
  friend bool operator==(const Scope&, const Scope&) = default;
};

/// Limits of the format. @source ledger reference section 7.1; tlog-tiles for the whole record.
inline constexpr std::size_t kRecordBytesMax = 60'000;
inline constexpr std::size_t kRefsMax = 64;
inline constexpr std::size_t kModelsMax = 16;
inline constexpr std::size_t kLicenceBytesMax = 64;
inline constexpr std::int64_t kHour_s = 3600;

/// What the signature covers. Fields that a kind does not have stay empty.
struct Header {
  Kind kind = Kind::kData;
  NetId net = kPublicNet;
  crypto::PublicKey author{};
  std::uint64_t seq = 0;    // of this author, from 0, without gaps
  std::int64_t time_s = 0;  // since 1970 UTC; of data, edits and votes a whole hour
  std::optional<crypto::Digest> body_commitment = {};
  std::uint8_t body_bucket = 0;  // the body has at most 2^bucket bytes; only with a commitment
  std::vector<RecordId> refs = {};
  std::string licence = {};                    // SPDX id
  std::optional<crypto::Digest> consent = {};  // SHA-256 of the words that were consented to
  std::vector<crypto::Digest> models = {};     // the model that answered, then its adapters
  Bytes payload = {};                          // of small kinds, see payload.h
  Scope scope = {};
  crypto::Digest log_key_hash{};  // SHA-256 of the key of the log that this author writes to
  friend bool operator==(const Header&, const Header&) = default;
};

/// The one encoding of a header. `header` must be valid, see check_header().
Bytes encode_header(const Header& header);
/// Strict: refuses what encode_header would not have written.
/// @error InvalidArgument  says which rule was broken.
Result<Header> decode_header(ByteView bytes);
/// Whether a licence may be called that: at most kLicenceBytesMax of A-Z, a-z, 0-9 and ".+-".
bool is_licence_id(std::string_view text);
/// The rules between fields, by kind. @error InvalidArgument.
Result<> check_header(const Header& header);

/// A header with its author's signature.
struct Record {
  Header header;
  Bytes bytes;  // COSE_Sign1, untagged, as stored
  RecordId id;
};

/// Signs. `header.author` must be the key's public key.
/// @error InvalidArgument  check_header() refuses it, or it is too large.
Result<Record> sign_record(const Header& header, const crypto::SigningKey& key);

/// Reads a record without looking at its signature: for what was verified when it was stored.
/// @error InvalidArgument  not a record. @error ResourceExhausted  larger than kRecordBytesMax.
Result<Record> decode_record(ByteView bytes);
/// The same with every check: network, and signature under the strict rule of crypto/ed25519.h.
/// @error InvalidArgument  another network. @error Corrupt  the signature is wrong.
Result<Record> verify_record(ByteView bytes, const NetId& net);

}  // namespace loam::ledger
