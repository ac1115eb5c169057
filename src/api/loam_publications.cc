// POST /loam/v1/publications
#include "api/context.h"
#include "api/request_fields.h"
#include "base/format.h"
#include "dataset/parallel.h"
#include "env/file.h"
#include "release/gate_summary.h"
#include "release/lineage.h"
#include "release/publish.h"

namespace loam::api {
namespace {

constexpr std::size_t kIdBytesMax = 64;
constexpr std::size_t kHashHexBytes = 64;

struct PublishCall {
  env::Path folder;
  crypto::Digest manifest{};
};

/// Only what a program of the owner put into this node's own staging folder: no path is taken from
/// a request, so that nothing else on the disk can be asked to be made public.
ApiResult<PublishCall> parse(const Context& context, const codec::Value& body) {
  const Fields fields = LOAM_TRY(Fields::of(body));
  PublishCall out;
  const std::string id = LOAM_TRY(fields.required_text("staged", kIdBytesMax));
  const auto folder = release::staging_folder(context.settings.folders.data, id);
  if (!folder) return refuse(bad_field("staged", "must be the id of what was staged"));
  out.folder = *folder;
  const auto manifest =
      crypto::parse_digest(LOAM_TRY(fields.required_text("manifest", kHashHexBytes)));
  if (!manifest) return refuse(bad_field("manifest", "must be 64 hexadecimal digits"));
  out.manifest = *manifest;
  return out;
}

/// They stand in this node's log, and are publications that were not withdrawn.
Result<> check_parents(ledger::Log& log, const std::vector<ledger::RecordId>& parents) {
  for (const ledger::RecordId& id : parents) {
    const auto found = LOAM_TRY(log.find(id));
    if (!found)
      return fail(
          ErrorCode::kNotFound,
          format("publish: the parent {} is missing: it is not in this node's log", to_text(id)),
          "loam model ls");
    static_cast<void>(LOAM_TRY(release::published_adapter(id, found->record.header)));
    if (found->retracted)
      return fail(ErrorCode::kInvalidArgument,
                  format("publish: the parent {} was withdrawn", to_text(id)));
  }
  return {};
}

Result<codec::Value> publish(Context& context, const PublishCall& asked) {
  ledger::Log& log = context.services.log;
  const auto examined = LOAM_TRY(release::check_staged(
      asked.folder, asked.manifest, release::gate_summary, dataset::usual_threads()));
  const release::Manifest& manifest = examined.manifest;
  LOAM_TRY(check_parents(log, manifest.parents));
  // Files first: a record never names what is not there.
  std::vector<crypto::Digest> files{asked.manifest};
  for (const release::Manifest::File& file : manifest.files) files.push_back(file.sha256);
  for (const crypto::Digest& file : files) {
    const env::Path path = asked.folder / crypto::digest_hex(file);
    if (LOAM_TRY(context.services.blobs.add(path)) != file)
      return fail(ErrorCode::kCorrupt, "publish: a file was changed meanwhile", "try again");
  }
  ledger::Draft draft;
  draft.kind = ledger::Kind::kPublication;
  draft.refs = manifest.parents;
  draft.payload = encode_publication(release::publication_of(manifest, asked.manifest));
  draft.token = "publication:" + crypto::digest_hex(asked.manifest);
  const auto record = LOAM_TRY(log.post(std::move(draft)));
  LOAM_TRY(log.flush());
  LOAM_TRY(env::remove_tree(asked.folder));
  return codec::Value(
      codec::Object{{"record", to_text(record.id)},
                    {"name", manifest.name},
                    {"licence", manifest.licence},
                    {"manifest", crypto::digest_hex(asked.manifest)},
                    {"proofs", crypto::digest_hex(manifest.file(release::kProofsFile).sha256)},
                    {"adapter", crypto::digest_hex(manifest.file(release::kAdapterFile).sha256)},
                    {"base", crypto::digest_hex(manifest.base.sha256)},
                    {"data_set_root", crypto::digest_hex(manifest.data_set.roots.dataset())},
                    {"used", manifest.data_set.used}});
}

}  // namespace

void add_loam_publication_routes(Routes& routes, Context& context) {
  routes.add(
      http::Method::kPost, "/loam/v1/publications", Need::kAdmin,
      [&context](const Call& call) -> ApiResult<> {
        const codec::Value body = LOAM_TRY(parse_object(call.request().body));
        const PublishCall asked = LOAM_TRY(parse(context, body));
        // Every signature of the data set's records is looked at.
        if (context.pulls.try_run([&context, call, asked] {
              const auto done = publish(context, asked);
              if (done)
                call.respond_json(201, *done);
              else
                call.exchange->respond(error_response(done.error()));
            }))
          return {};
        return refuse(error_of_status(429, "too many pulls and publications wait; try later"));
      });
}

}  // namespace loam::api
