#include "ledger/record.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"
#include "codec/cbor_items.h"

namespace loam::ledger {
namespace {

using codec::CborReader;
using codec::CborWriter;

constexpr std::int64_t kVersion = 1;
/// {1: -19}: the protected header of every record; -19 is Ed25519. @source RFC 9864.
constexpr std::array<std::uint8_t, 3> kProtected = {0xA1, 0x01, 0x32};
constexpr std::string_view kSigned = "loam.rec.v1";
constexpr std::uint8_t kBucketMax = 20;               // 1 MiB, the largest body
constexpr std::int64_t kTimeMax_s = 253'402'300'799;  // the year 9999
constexpr std::int64_t kTrain = 1, kEval = 2;

/// Keys of the header's map. @source ledger reference section 7.1, DESIGN.md 8.2.
enum Field : std::int64_t {
  kFieldVersion = 1,
  kFieldKind = 2,
  kFieldNet = 3,
  kFieldAuthor = 4,
  kFieldSeq = 5,
  kFieldTime = 6,
  kFieldBody = 7,
  kFieldBucket = 8,
  kFieldRefs = 9,
  kFieldLicence = 10,
  kFieldConsent = 11,
  kFieldModels = 12,
  kFieldPayload = 13,
  kFieldScope = 15,
  kFieldLog = 16,
};

struct KindRule {
  std::size_t refs;  // exactly so many; kAnyRefs: any number
  std::string_view name;
  Kind kind;
  bool has_body;    // and with it licence and scope
  bool hour_times;  // who was active when is nobody's business
  bool has_payload;
};
constexpr std::size_t kAnyRefs = SIZE_MAX;
constexpr KindRule kRules[] = {
    {0, "data", Kind::kData, true, true, false},
    {1, "edit", Kind::kEdit, true, true, false},
    {1, "vote", Kind::kVote, false, true, true},
    {kAnyRefs, "receipt", Kind::kReceipt, false, true, true},
    {kAnyRefs, "attestation", Kind::kAttestation, false, true, true},
    {kAnyRefs, "publication", Kind::kPublication, false, false, true},
    {0, "key", Kind::kKey, false, false, true},
    {0, "node", Kind::kNode, false, false, true},
    {1, "retraction", Kind::kRetraction, false, true, true},
    {0, "checkpoint", Kind::kCheckpoint, false, false, true},
    {kAnyRefs, "evidence", Kind::kEvidence, false, false, true},
};

const KindRule* rule_of(Kind kind) {
  const auto* found = std::ranges::find(kRules, kind, &KindRule::kind);
  return found == std::end(kRules) ? nullptr : found;
}

std::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, format("record: {}", why));
}

template <std::size_t N>
Result<std::array<std::uint8_t, N>> fixed(CborReader& in) {
  const ByteView bytes = LOAM_TRY(in.bytes());
  std::array<std::uint8_t, N> out{};
  if (bytes.size() != N) return in.refuse(format("{} bytes where {} belong", bytes.size(), N));
  std::ranges::copy(bytes, out.begin());
  return out;
}

Result<> read_digests(CborReader& in, std::size_t count_max, auto&& add) {
  const std::uint64_t count = LOAM_TRY(in.array());
  if (count == 0 || count > count_max) return in.refuse("an empty or too long list");
  for (std::uint64_t i = 0; i < count; ++i) add(LOAM_TRY(fixed<32>(in)));
  return {};
}

Result<> read_numbers(CborReader& in, std::int64_t field, Header& out) {
  const std::int64_t value = LOAM_TRY(in.integer());
  if (value < 0) return in.refuse("a negative number");
  switch (field) {
    case kFieldVersion:
      if (value != kVersion)
        return fail(ErrorCode::kUnsupported,
                    format("record: it is of version {}, this program knows {}", value, kVersion));
      break;
    case kFieldKind:
      if (value > UINT8_MAX || rule_of(static_cast<Kind>(value)) == nullptr)
        return fail(ErrorCode::kUnsupported, format("record: kind {} is not known", value));
      out.kind = static_cast<Kind>(value);
      break;
    case kFieldSeq: out.seq = static_cast<std::uint64_t>(value); break;
    case kFieldTime: out.time_s = value; break;
    case kFieldBucket:
      if (value > kBucketMax) return in.refuse("a body larger than 1 MiB");
      out.body_bucket = static_cast<std::uint8_t>(value);
      break;
    default:  // kFieldScope
      if (value == 0 || value > (kTrain | kEval)) return in.refuse("an unknown or empty scope");
      out.scope = {.train = (value & kTrain) != 0, .eval = (value & kEval) != 0};
  }
  return {};
}

Result<> read_field(CborReader& in, std::int64_t field, Header& out) {
  switch (field) {
    case kFieldNet: out.net = LOAM_TRY(fixed<16>(in)); break;
    case kFieldAuthor: out.author = LOAM_TRY(fixed<32>(in)); break;
    case kFieldBody: out.body_commitment = LOAM_TRY(fixed<32>(in)); break;
    case kFieldRefs:
      return read_digests(in, kRefsMax, [&](const auto& d) { out.refs.push_back({d}); });
    case kFieldLicence: out.licence = std::string(LOAM_TRY(in.text())); break;
    case kFieldConsent: out.consent = LOAM_TRY(fixed<32>(in)); break;
    case kFieldModels:
      return read_digests(in, kModelsMax, [&](const auto& d) { out.models.push_back(d); });
    case kFieldPayload: {
      const ByteView payload = LOAM_TRY(in.bytes());
      out.payload.assign(payload.begin(), payload.end());
      break;
    }
    case kFieldLog: out.log_key_hash = LOAM_TRY(fixed<32>(in)); break;
    case kFieldVersion:
    case kFieldKind:
    case kFieldSeq:
    case kFieldTime:
    case kFieldBucket:
    case kFieldScope: return read_numbers(in, field, out);
    default: return in.refuse(format("field {}, which no header has,", field));
  }
  return {};
}

/// What an Ed25519 signature of COSE covers. @source RFC 9052 section 4.4.
Bytes to_be_signed(ByteView header, const NetId& net) {
  std::array<std::uint8_t, kSigned.size() + std::tuple_size_v<NetId>> aad;
  std::ranges::copy(net, std::ranges::copy(kSigned, aad.begin()).out);
  CborWriter out;
  out.out().reserve(header.size() + 64);
  out.array(4).text("Signature1").bytes(kProtected).bytes(aad).bytes(header);
  return out.take();
}

/// The parts of a COSE_Sign1; views into the record.
struct Envelope {
  ByteView header;
  crypto::Signature signature;
};

Result<Envelope> open_envelope(ByteView bytes) {
  if (bytes.size() > kRecordBytesMax)
    return fail(ErrorCode::kResourceExhausted,
                format("record: {} bytes, and {} is the most", bytes.size(), kRecordBytesMax));
  CborReader in(bytes);
  Envelope out;
  if (LOAM_TRY(in.array()) != 4) return refuse("not a COSE_Sign1 of four parts");
  if (!std::ranges::equal(LOAM_TRY(in.bytes()), kProtected))
    return refuse("the protected header is not {1: -19}");
  if (LOAM_TRY(in.map()) != 0) return refuse("the unprotected header is not empty");
  out.header = LOAM_TRY(in.bytes());
  out.signature = LOAM_TRY(fixed<64>(in));
  LOAM_TRY(in.end());
  return out;
}

/// The record whose parts `envelope` is, its signature not looked at.
Result<Record> record_of(const Envelope& envelope, ByteView bytes) {
  Record record{LOAM_TRY(decode_header(envelope.header)), Bytes(bytes.begin(), bytes.end()), {}};
  record.id.digest = crypto::sha256(bytes);
  return record;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  const KindRule* rule = rule_of(kind);
  return rule == nullptr ? "unknown" : rule->name;
}

Result<Kind> parse_kind(std::string_view name) {
  const auto* found = std::ranges::find(kRules, name, &KindRule::name);
  if (found != std::end(kRules)) return found->kind;
  std::string known;
  for (const KindRule& rule : kRules) known += format(" {}", rule.name);
  return fail(ErrorCode::kInvalidArgument,
              format("no kind of record is called that; there are{}", known));
}

bool is_licence_id(std::string_view text) {
  return text.size() <= kLicenceBytesMax && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '+';
         });
}

Result<> check_header(const Header& header) {
  const KindRule* rule = rule_of(header.kind);
  if (rule == nullptr) return refuse("unknown kind");
  if (header.seq > INT64_MAX) return refuse("a sequence number beyond 63 bits");
  if (header.time_s < 0 || header.time_s > kTimeMax_s) return refuse("a time outside 1970 to 9999");
  if (rule->hour_times && header.time_s % kHour_s != 0)
    return refuse(format("the time of a {} is not a whole hour", rule->name));
  const bool has_scope = header.scope.train || header.scope.eval;
  if (header.body_commitment.has_value() != rule->has_body || has_scope != rule->has_body ||
      header.licence.empty() == rule->has_body)
    return refuse(format("a {} {} a body, a licence and a scope", rule->name,
                         rule->has_body ? "has" : "does not have"));
  if (!rule->has_body && (header.body_bucket != 0 || header.consent || !header.models.empty()))
    return refuse(format("a {} has no body's fields", rule->name));
  if (header.body_bucket > kBucketMax) return refuse("a body larger than 1 MiB");
  if (rule->refs != kAnyRefs && header.refs.size() != rule->refs)
    return refuse(format("a {} refers to {} records", rule->name, rule->refs));
  if (header.refs.size() > kRefsMax || header.models.size() > kModelsMax)
    return refuse("too many references or models");
  if (header.payload.empty() == rule->has_payload)
    return refuse(
        format("a {} {} a payload", rule->name, rule->has_payload ? "has" : "does not have"));
  if (header.licence.size() > kLicenceBytesMax) return refuse("a licence's name that is too long");
  if (!is_licence_id(header.licence)) return refuse("a licence that is no SPDX id");
  return {};
}

Bytes encode_header(const Header& header) {
  const bool has_scope = header.scope.train || header.scope.eval;
  const auto optional_fields = {header.body_commitment.has_value(),  // field 7
                                header.body_commitment.has_value(),  // field 8
                                !header.refs.empty(),
                                !header.licence.empty(),
                                header.consent.has_value(),
                                !header.models.empty(),
                                !header.payload.empty(),
                                has_scope};
  CborWriter out;
  out.out().reserve(512);  // most headers
  out.map(7U + static_cast<std::uint64_t>(std::ranges::count(optional_fields, true)));
  out.integer(kFieldVersion).integer(kVersion);
  out.integer(kFieldKind).integer(std::to_underlying(header.kind));
  out.integer(kFieldNet).bytes(header.net);
  out.integer(kFieldAuthor).bytes(header.author);
  out.integer(kFieldSeq).integer(static_cast<std::int64_t>(header.seq));
  out.integer(kFieldTime).integer(header.time_s);
  if (header.body_commitment) {
    out.integer(kFieldBody).bytes(*header.body_commitment);
    out.integer(kFieldBucket).integer(header.body_bucket);
  }
  if (!header.refs.empty()) {
    out.integer(kFieldRefs).array(header.refs.size());
    for (const RecordId& id : header.refs) out.bytes(id.digest);
  }
  if (!header.licence.empty()) out.integer(kFieldLicence).text(header.licence);
  if (header.consent) out.integer(kFieldConsent).bytes(*header.consent);
  if (!header.models.empty()) {
    out.integer(kFieldModels).array(header.models.size());
    for (const crypto::Digest& model : header.models) out.bytes(model);
  }
  if (!header.payload.empty()) out.integer(kFieldPayload).bytes(header.payload);
  if (has_scope)
    out.integer(kFieldScope)
        .integer((header.scope.train ? kTrain : 0) | (header.scope.eval ? kEval : 0));
  out.integer(kFieldLog).bytes(header.log_key_hash);
  return out.take();
}

Result<Header> decode_header(ByteView bytes) {
  CborReader in(bytes);
  Header out;
  const std::uint64_t fields = LOAM_TRY(in.map());
  std::uint32_t seen = 0;
  std::int64_t last = 0;
  for (std::uint64_t i = 0; i < fields; ++i) {
    const std::int64_t field = LOAM_TRY(in.integer());
    if (field <= last) return in.refuse("keys that are not sorted and distinct");
    last = field;
    LOAM_TRY(read_field(in, field, out));
    seen |= 1U << static_cast<unsigned>(field);  // read_field knows none beyond 16
  }
  LOAM_TRY(in.end());
  const auto has = [&](Field field) { return (seen >> static_cast<unsigned>(field) & 1U) != 0; };
  for (const Field field :
       {kFieldVersion, kFieldKind, kFieldNet, kFieldAuthor, kFieldSeq, kFieldTime, kFieldLog})
    if (!has(field)) return refuse(format("field {} is missing", static_cast<int>(field)));
  LOAM_TRY(check_header(out));
  // The body's two fields go together, and what is empty is left out.
  if (has(kFieldBody) != has(kFieldBucket) || has(kFieldLicence) == out.licence.empty() ||
      has(kFieldPayload) == out.payload.empty())
    return refuse("not the one encoding of its fields");
  return out;
}

Result<Record> sign_record(const Header& header, const crypto::SigningKey& key) {
  LOAM_TRY(check_header(header));
  if (header.author != key.public_key()) return refuse("the key is not its author's");
  const Bytes encoded = encode_header(header);
  const crypto::Signature signature = key.sign(to_be_signed(encoded, header.net));
  CborWriter out;
  out.array(4).bytes(kProtected).map(0).bytes(encoded).bytes(signature);
  Record record{header, out.take(), {}};
  if (record.bytes.size() > kRecordBytesMax)
    return fail(ErrorCode::kResourceExhausted, format("record: {} bytes, and {} is the most",
                                                      record.bytes.size(), kRecordBytesMax));
  record.id.digest = crypto::sha256(record.bytes);
  return record;
}

Result<Record> decode_record(ByteView bytes) {
  const Envelope envelope = LOAM_TRY(open_envelope(bytes));
  return record_of(envelope, bytes);
}

Result<Record> verify_record(ByteView bytes, const NetId& net) {
  const Envelope envelope = LOAM_TRY(open_envelope(bytes));
  Record record = LOAM_TRY(record_of(envelope, bytes));
  if (record.header.net != net) return refuse("it belongs to another network");
  if (!crypto::verify(record.header.author, to_be_signed(envelope.header, net), envelope.signature))
    return fail(ErrorCode::kCorrupt,
                format("record {}: its signature is wrong", to_text(record.id)));
  return record;
}

}  // namespace loam::ledger
