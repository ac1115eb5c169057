// POST /loam/v1/commitments, POST /loam/v1/attestations: what a gate here will draw with, and what
// it said of a publication, signed and public.
#include "api/context.h"
#include "api/request_fields.h"
#include "base/format.h"
#include "commons/copy_source.h"
#include "env/file.h"
#include "env/random.h"
#include "gate/report.h"
#include "release/lineage.h"

namespace loam::api {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kHashHexBytes = 64;

ledger::Attested attested(gate::Outcome outcome) {
  if (outcome == gate::Outcome::kPass) return ledger::Attested::kPass;
  return outcome == gate::Outcome::kFail ? ledger::Attested::kFail
                                         : ledger::Attested::kInconclusive;
}

/// Makes the report public; it must be one whose verdict follows from its measurements.
Result<crypto::Digest> add_report(Context& context, std::string_view text) {
  const env::Path folder = context.settings.folders.cache;
  LOAM_TRY(env::make_folder(folder));
  const env::Path file = folder / env::random_id("report-");
  LOAM_TRY(env::write_file_atomic(file, text, 0600));
  auto added = context.services.blobs.add(file);
  LOAM_TRY(env::remove_file(file));
  return added;
}

/// What a node says of a publication. Durable when it returns; the same `token` posts once.
Result<ledger::RecordId> post(ledger::Log& log, const ledger::RecordId& publication, Bytes payload,
                              std::string token) {
  ledger::Draft draft;
  draft.kind = ledger::Kind::kAttestation;
  draft.refs = {publication};
  draft.payload = std::move(payload);
  draft.token = std::move(token);
  const auto record = LOAM_TRY(log.post(std::move(draft)));
  LOAM_TRY(log.flush());
  return record.id;
}

ApiResult<ledger::RecordId> parse_id(const std::string& field, const std::string& text) {
  const auto id = ledger::parse_record_id(text);
  if (!id) return refuse(bad_field(field, "must be the id of a record"));
  return *id;
}

ApiResult<ledger::RecordId> publication_of(const Fields& fields) {
  const std::string text = LOAM_TRY(fields.required_text("publication", kIdBytesMax));
  return parse_id("publication", text);
}

Result<codec::Value> commit(Context& context, const ledger::RecordId& publication,
                            const crypto::Digest& hash) {
  ledger::Log& log = context.services.log;
  // Of this key: it must be the one that attests.
  const auto record = LOAM_TRY(
      post(log, publication, ledger::encode_commitment(hash),
           "commitment:" + to_text(publication) + crypto::digest_hex(hash) + to_hex(log.author())));
  return codec::Value(
      codec::Object{{"record", to_text(record)}, {"publication", to_text(publication)}});
}

/// Whoever reads the log would not count an attestation that names another record.
Result<> check_commitment(ledger::Log& log, const ledger::RecordId& publication,
                          const ledger::Attestation::Drawn& drawn) {
  const auto refuse_it = [&](std::string_view why) {
    return fail(
        ErrorCode::kInvalidArgument, format("attest: {} {}", to_text(drawn.commitment), why),
        "have POST /loam/v1/commitments make one before the gate runs, and name its record");
  };
  const auto found = LOAM_TRY(log.find(drawn.commitment));
  if (!found) return refuse_it("is not in this node's log");
  const ledger::Header& header = found->record.header;
  const auto hash = ledger::decode_commitment(header.payload);
  if (header.kind != ledger::Kind::kAttestation || !hash)
    return refuse_it("is no commitment to a nonce");
  if (header.refs != std::vector{publication}) return refuse_it("is about another publication");
  if (header.author != log.author()) return refuse_it("was signed with an earlier key");
  if (*hash != ledger::nonce_hash(drawn.nonce))
    return refuse_it("is a commitment to another nonce than the report's");
  return {};
}

/// The record, if this node's log or the copy of one that it follows has it.
Result<std::optional<ledger::Header>> find_record(Context& context, const ledger::RecordId& id) {
  if (auto own = LOAM_TRY(context.services.log.find(id))) return std::move(own->record.header);
  const env::Path copies = context.settings.folders.data / "commons";
  for (const commons::FollowedLog& log : LOAM_TRY(context.services.following.list())) {
    const auto key = LOAM_TRY(crypto::parse_verifier_key(log.key));
    if (auto found = LOAM_TRY(commons::find_in_copy(copies, key, id)))
      return std::move(found->record.header);
  }
  return std::nullopt;
}

/// What is signed must be said of what it names.
Result<> check_subject(Context& context, const ledger::RecordId& id, const gate::Report& report) {
  const auto found = LOAM_TRY(find_record(context, id));
  if (!found) return {};  // published since the last poll, or in a log that is not followed
  const auto published = LOAM_TRY(release::published_adapter(id, *found));
  if (published.models == std::vector{report.base, report.adapter}) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      format("attest: the report is about adapter {} on base {}, and {} published another",
             crypto::digest_hex(report.adapter), crypto::digest_hex(report.base), to_text(id)),
      "attest with the report of a gate on what was published");
}

struct AttestCall {
  ledger::RecordId publication;
  std::string report;
  std::optional<ledger::RecordId> commitment = {};
};

ApiResult<AttestCall> parse(const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  AttestCall out;
  out.publication = LOAM_TRY(publication_of(fields));
  out.report = LOAM_TRY(fields.required_text("report", gate::kReportBytesMax));
  if (const auto named = LOAM_TRY(fields.text("commitment", kIdBytesMax)))
    out.commitment = LOAM_TRY(parse_id("commitment", *named));
  return out;
}

Result<codec::Value> attest(Context& context, const AttestCall& asked) {
  const gate::Report read = LOAM_TRY(gate::parse_report(asked.report));
  LOAM_TRY(check_subject(context, asked.publication, read));
  const auto outcome = read.verdict().outcome;
  ledger::Attestation attestation;
  attestation.verdict = attested(outcome);
  if (asked.commitment) {
    attestation.drawn = ledger::Attestation::Drawn{*asked.commitment, read.nonce};
    LOAM_TRY(check_commitment(context.services.log, asked.publication, *attestation.drawn));
  }
  attestation.report = LOAM_TRY(add_report(context, asked.report));
  const std::string commitment = asked.commitment ? to_text(*asked.commitment) : std::string();
  const auto record = LOAM_TRY(post(context.services.log, asked.publication,
                                    ledger::encode_attestation(attestation),
                                    "attestation:" + to_text(asked.publication) +
                                        crypto::digest_hex(attestation.report) + commitment));
  return codec::Value(
      codec::Object{{"record", to_text(record)},
                    {"publication", to_text(asked.publication)},
                    {"verdict", gate::outcome_name(outcome)},
                    {"report", crypto::digest_hex(attestation.report)},
                    {"commitment", asked.commitment ? codec::Value(commitment) : codec::Value()}});
}

}  // namespace

void add_loam_attestation_routes(Routes& routes, Context& context) {
  routes.add(http::Method::kPost, "/loam/v1/commitments", Need::kAdmin,
             [&context](const Call& call) -> ApiResult<> {
               const codec::Value body = LOAM_TRY(parse_object(call.request().body));
               const Fields fields = LOAM_TRY(Fields::of(body));
               const auto publication = LOAM_TRY(publication_of(fields));
               const auto hash =
                   crypto::parse_digest(LOAM_TRY(fields.required_text("hash", kHashHexBytes)));
               if (!hash) return refuse(bad_field("hash", "must be 64 hexadecimal digits"));
               call.respond_json(201, LOAM_TRY(commit(context, publication, *hash)));
               return {};
             });
  routes.add(http::Method::kPost, "/loam/v1/attestations", Need::kAdmin,
             [&context](const Call& call) -> ApiResult<> {
               const codec::Value body = LOAM_TRY(parse_object(call.request().body));
               const AttestCall asked = LOAM_TRY(parse(body));
               call.respond_json(201, LOAM_TRY(attest(context, asked)));
               return {};
             });
}

}  // namespace loam::api
