// Payloads of small kinds: what stands in field 13 of a header, as deterministic CBOR of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/ed25519.h"
#include "ledger/record_id.h"

namespace loam::ledger {

/// A rating of the record that the header refers to; the latest of an author counts.
enum class Vote : std::int8_t { kDown = -1, kNone = 0, kUp = 1 };
Bytes encode_vote(Vote vote);
/// @error InvalidArgument  not what encode_vote writes.
Result<Vote> decode_vote(ByteView payload);

/// Why a record was withdrawn. The numbers are part of the format.
enum class RetractionReason : std::uint8_t {
  kAuthor = 1,        // the author wishes it
  kPersonalData = 2,  // it says something about somebody
  kIllegal = 3,
  kSuperseded = 4,
};
Bytes encode_retraction(RetractionReason reason);
Result<RetractionReason> decode_retraction(ByteView payload);

/// A change of an author's keys: from now on `successor` writes; without one, nobody does.
struct KeyChange {
  std::optional<crypto::PublicKey> successor = {};
  /// May retract, and nothing else.
  std::optional<crypto::PublicKey> recovery = {};
  friend bool operator==(const KeyChange&, const KeyChange&) = default;
};
Bytes encode_key_change(const KeyChange& change);
Result<KeyChange> decode_key_change(ByteView payload);

/// What was published. The numbers are part of the format.
enum class PublishedType : std::uint8_t { kModel = 1, kAdapter = 2, kAgent = 3, kDataSet = 4 };
/// "model", "adapter", "agent", "data set".
std::string_view published_type_name(PublishedType type);

/// Names the files of something that was published, by their hashes: docs/formats/publication.md.
struct Publication {
  PublishedType type = PublishedType::kAdapter;
  std::string name;           // is_published_name()
  crypto::Digest manifest{};  // SHA-256 of its file
  /// SHA-256 of the file with the proofs of the records that it was made of.
  std::optional<crypto::Digest> proofs = {};
  std::string licence;                      // SPDX id
  std::vector<crypto::Digest> models = {};  // what answers: the base's file, then its adapters
  friend bool operator==(const Publication&, const Publication&) = default;
};
/// [a-z0-9][a-z0-9._:/-]{0,127}: as models are called.
bool is_published_name(std::string_view name);
/// `publication` must be one: name, licence and number of models are checked by the decoder alone.
Bytes encode_publication(const Publication& publication);
/// Logs take any payload of this kind: what is published later may have other forms.
/// @error InvalidArgument  not what encode_publication writes.
Result<Publication> decode_publication(ByteView payload);

/// What a gate here said of a publication, which the header refers to. The numbers are part of the
/// format.
enum class Attested : std::uint8_t { kPass = 1, kFail = 2, kInconclusive = 3 };
/// "pass", "fail", "inconclusive".
std::string_view attested_name(Attested verdict);

/// What a gate draws its slice with.
using Nonce = std::array<std::uint8_t, 32>;
/// What says that a nonce was drawn, and not which.
crypto::Digest nonce_hash(const Nonce& nonce);

struct Attestation {
  Attested verdict = Attested::kInconclusive;
  crypto::Digest report{};  // of its file: docs/formats/gate-report.md
  /// The report's nonce, and the record that committed to it before.
  struct Drawn {
    RecordId commitment;
    Nonce nonce{};
    friend bool operator==(const Drawn&, const Drawn&) = default;
  };
  std::optional<Drawn> drawn = {};
  friend bool operator==(const Attestation&, const Attestation&) = default;
};
Bytes encode_attestation(const Attestation& attestation);
/// @error InvalidArgument  not what encode_attestation writes; a commitment.
Result<Attestation> decode_attestation(ByteView payload);

/// The other payload of kind attestation: nothing is attested yet, but a nonce of this hash will
/// have drawn the slice. It is no kind of its own because whoever does not know a kind cannot read
/// the log that it stands in.
Bytes encode_commitment(const crypto::Digest& hash);
/// @error InvalidArgument  not what encode_commitment writes; an attestation.
Result<crypto::Digest> decode_commitment(ByteView payload);

}  // namespace loam::ledger
