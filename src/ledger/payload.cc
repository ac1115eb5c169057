#include "ledger/payload.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "codec/cbor_items.h"
#include "ledger/record.h"

namespace loam::ledger {
namespace {

using codec::CborReader;
using codec::CborWriter;

/// {1: number}
Bytes encode_number(std::int64_t number) {
  return CborWriter().map(1).integer(1).integer(number).take();
}

Result<std::int64_t> decode_number(ByteView payload) {
  CborReader in(payload);
  if (LOAM_TRY(in.map()) != 1 || LOAM_TRY(in.integer()) != 1)
    return in.refuse("not a payload of {1: number}");
  const std::int64_t number = LOAM_TRY(in.integer());
  LOAM_TRY(in.end());
  return number;
}

constexpr std::int64_t kSuccessor = 1, kRecovery = 2;
constexpr std::string_view kNoncePurpose = "loam.nonce.v1";

enum PublicationField : std::int64_t {
  kType = 1,
  kName = 2,
  kManifest = 3,
  kProofs = 4,
  kLicence = 5,
  kModels = 6,
};
constexpr std::size_t kNameBytesMax = 128;

enum AttestationField : std::int64_t {
  kVerdict = 1,
  kReport = 2,
  kDrawnCommitment = 3,
  kDrawnNonce = 4,
  kNonceHash = 5,  // of a commitment, and nothing besides
};

Result<crypto::Digest> read_digest(CborReader& in) {
  const ByteView bytes = LOAM_TRY(in.bytes());
  crypto::Digest out{};
  if (bytes.size() != out.size()) return in.refuse("a hash that is not of 32 bytes");
  std::ranges::copy(bytes, out.begin());
  return out;
}

Result<> read_publication_field(CborReader& in, std::int64_t field, Publication& out) {
  switch (field) {
    case kType: {
      const std::int64_t type = LOAM_TRY(in.integer());
      if (type < 1 || type > 4) return in.refuse("an unknown type of publication");
      out.type = static_cast<PublishedType>(type);
      return {};
    }
    case kName: {
      out.name = std::string(LOAM_TRY(in.text()));
      if (!is_published_name(out.name)) return in.refuse("a name that no model may have");
      return {};
    }
    case kManifest: out.manifest = LOAM_TRY(read_digest(in)); return {};
    case kProofs: out.proofs = LOAM_TRY(read_digest(in)); return {};
    case kLicence: {
      out.licence = std::string(LOAM_TRY(in.text()));
      if (out.licence.empty() || !is_licence_id(out.licence))
        return in.refuse("a licence that is no SPDX id");
      return {};
    }
    default: {  // kModels
      const std::uint64_t count = LOAM_TRY(in.array());
      if (count == 0 || count > kModelsMax) return in.refuse("no models, or too many");
      for (std::uint64_t i = 0; i < count; ++i) out.models.push_back(LOAM_TRY(read_digest(in)));
      return {};
    }
  }
}

}  // namespace

Bytes encode_vote(Vote vote) { return encode_number(std::to_underlying(vote)); }

Result<Vote> decode_vote(ByteView payload) {
  const std::int64_t number = LOAM_TRY(decode_number(payload));
  if (number < -1 || number > 1)
    return CborReader(payload).refuse("a vote that is none of -1, 0, 1");
  return static_cast<Vote>(number);
}

Bytes encode_retraction(RetractionReason reason) {
  return encode_number(std::to_underlying(reason));
}

Result<RetractionReason> decode_retraction(ByteView payload) {
  const std::int64_t number = LOAM_TRY(decode_number(payload));
  if (number < 1 || number > 4)
    return CborReader(payload).refuse("an unknown reason of a retraction");
  return static_cast<RetractionReason>(number);
}

Bytes encode_key_change(const KeyChange& change) {
  CborWriter out;
  out.map((change.successor ? 1U : 0U) + (change.recovery ? 1U : 0U));
  if (change.successor) out.integer(kSuccessor).bytes(*change.successor);
  if (change.recovery) out.integer(kRecovery).bytes(*change.recovery);
  return out.take();
}

Result<KeyChange> decode_key_change(ByteView payload) {
  CborReader in(payload);
  KeyChange out;
  const std::uint64_t fields = LOAM_TRY(in.map());
  std::int64_t last = 0;
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::int64_t field = LOAM_TRY(in.integer());
    if (field <= last || field > kRecovery) return in.refuse("an unknown or unsorted field");
    last = field;
    const ByteView bytes = LOAM_TRY(in.bytes());
    crypto::PublicKey key{};
    if (bytes.size() != key.size()) return in.refuse("a key that is not of 32 bytes");
    std::ranges::copy(bytes, key.begin());
    if (!crypto::is_valid_public_key(key)) return in.refuse("bytes that are no key");
    (field == kSuccessor ? out.successor : out.recovery) = key;
  }
  LOAM_TRY(in.end());
  return out;
}

std::string_view published_type_name(PublishedType type) {
  switch (type) {
    case PublishedType::kModel: return "model";
    case PublishedType::kAdapter: return "adapter";
    case PublishedType::kAgent: return "agent";
    case PublishedType::kDataSet: break;
  }
  return "data set";
}

bool is_published_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kNameBytesMax && is_letter(name.front()) &&
         std::ranges::all_of(
             name, [&](char c) { return is_letter(c) || std::string_view("._:/-").contains(c); });
}

Bytes encode_publication(const Publication& publication) {
  CborWriter out;
  out.map(4U + (publication.proofs ? 1U : 0U) + (publication.models.empty() ? 0U : 1U));
  out.integer(kType).integer(std::to_underlying(publication.type));
  out.integer(kName).text(publication.name);
  out.integer(kManifest).bytes(publication.manifest);
  if (publication.proofs) out.integer(kProofs).bytes(*publication.proofs);
  out.integer(kLicence).text(publication.licence);
  if (!publication.models.empty()) {
    out.integer(kModels).array(publication.models.size());
    for (const crypto::Digest& model : publication.models) out.bytes(model);
  }
  return out.take();
}

Result<Publication> decode_publication(ByteView payload) {
  CborReader in(payload);
  Publication out;
  const std::uint64_t fields = LOAM_TRY(in.map());
  unsigned seen = 0;
  std::int64_t last = 0;
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::int64_t field = LOAM_TRY(in.integer());
    if (field <= last || field > kModels) return in.refuse("an unknown or unsorted field");
    last = field;
    LOAM_TRY(read_publication_field(in, field, out));
    seen |= 1U << static_cast<unsigned>(field);
  }
  LOAM_TRY(in.end());
  for (const PublicationField field : {kType, kName, kManifest, kLicence})
    if ((seen >> static_cast<unsigned>(field) & 1U) == 0)
      return in.refuse(format("field {} of a publication is missing", std::to_underlying(field)));
  return out;
}

std::string_view attested_name(Attested verdict) {
  switch (verdict) {
    case Attested::kPass: return "pass";
    case Attested::kFail: return "fail";
    case Attested::kInconclusive: break;
  }
  return "inconclusive";
}

crypto::Digest nonce_hash(const Nonce& nonce) {
  return crypto::Sha256().update(as_bytes(kNoncePurpose)).update(nonce).finish();
}

Bytes encode_attestation(const Attestation& attestation) {
  CborWriter out;
  out.map(attestation.drawn ? 4 : 2);
  out.integer(kVerdict).integer(std::to_underlying(attestation.verdict));
  out.integer(kReport).bytes(attestation.report);
  if (attestation.drawn) {
    out.integer(kDrawnCommitment).bytes(attestation.drawn->commitment.digest);
    out.integer(kDrawnNonce).bytes(attestation.drawn->nonce);
  }
  return out.take();
}

Result<Attestation> decode_attestation(ByteView payload) {
  CborReader in(payload);
  const std::uint64_t fields = LOAM_TRY(in.map());
  if ((fields != 2 && fields != 4) || LOAM_TRY(in.integer()) != kVerdict)
    return in.refuse("not a payload of {1: verdict, 2: report}");
  const std::int64_t verdict = LOAM_TRY(in.integer());
  if (verdict < 1 || verdict > 3) return in.refuse("an unknown verdict");
  if (LOAM_TRY(in.integer()) != kReport)
    return in.refuse("not a payload of {1: verdict, 2: report}");
  Attestation out;
  out.verdict = static_cast<Attested>(verdict);
  out.report = LOAM_TRY(read_digest(in));
  if (fields == 4) {
    Attestation::Drawn drawn;
    if (LOAM_TRY(in.integer()) != kDrawnCommitment)
      return in.refuse("not a payload of {1: verdict, 2: report, 3: commitment, 4: nonce}");
    drawn.commitment.digest = LOAM_TRY(read_digest(in));
    if (LOAM_TRY(in.integer()) != kDrawnNonce)
      return in.refuse("not a payload of {1: verdict, 2: report, 3: commitment, 4: nonce}");
    drawn.nonce = LOAM_TRY(read_digest(in));
    out.drawn = drawn;
  }
  LOAM_TRY(in.end());
  return out;
}

Bytes encode_commitment(const crypto::Digest& hash) {
  return CborWriter().map(1).integer(kNonceHash).bytes(hash).take();
}

Result<crypto::Digest> decode_commitment(ByteView payload) {
  CborReader in(payload);
  if (LOAM_TRY(in.map()) != 1 || LOAM_TRY(in.integer()) != kNonceHash)
    return in.refuse("not a payload of {5: hash}");
  const crypto::Digest out = LOAM_TRY(read_digest(in));
  LOAM_TRY(in.end());
  return out;
}

}  // namespace loam::ledger
