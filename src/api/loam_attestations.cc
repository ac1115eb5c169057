// POST /loam/v1/attestations: what a gate here said of a publication, signed and public.
#include "api/context.h"
#include "api/request_fields.h"
#include "env/file.h"
#include "env/random.h"
#include "gate/report.h"

namespace loam::api {
namespace {

constexpr std::size_t kIdBytesMax = 128;

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

Result<codec::Value> attest(Context& context, const ledger::RecordId& publication,
                            std::string_view report) {
  const gate::Report read = LOAM_TRY(gate::parse_report(report));
  const auto outcome = read.verdict().outcome;
  const crypto::Digest hash = LOAM_TRY(add_report(context, report));
  ledger::Draft draft;
  draft.kind = ledger::Kind::kAttestation;
  draft.refs = {publication};
  draft.payload = ledger::encode_attestation({attested(outcome), hash});
  draft.token = "attestation:" + to_text(publication) + crypto::digest_hex(hash);
  const auto record = LOAM_TRY(context.services.log.post(std::move(draft)));
  LOAM_TRY(context.services.log.flush());
  return codec::Value(codec::Object{{"record", to_text(record.id)},
                                    {"publication", to_text(publication)},
                                    {"verdict", gate::outcome_name(outcome)},
                                    {"report", crypto::digest_hex(hash)}});
}

}  // namespace

void add_loam_attestation_routes(Routes& routes, Context& context) {
  routes.add(
      http::Method::kPost, "/loam/v1/attestations", Need::kAdmin,
      [&context](const Call& call) -> ApiResult<> {
        const codec::Value body = LOAM_TRY(parse_object(call.request().body));
        const Fields fields = LOAM_TRY(Fields::of(body));
        const auto publication =
            ledger::parse_record_id(LOAM_TRY(fields.required_text("publication", kIdBytesMax)));
        if (!publication) return refuse(bad_field("publication", "must be the id of a record"));
        const std::string report = LOAM_TRY(fields.required_text("report", gate::kReportBytesMax));
        call.respond_json(201, LOAM_TRY(attest(context, *publication, report)));
        return {};
      });
}

}  // namespace loam::api
