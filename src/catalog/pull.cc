#include "catalog/pull.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "catalog/download.h"
#include "catalog/file_hash.h"
#include "catalog/hub.h"
#include "catalog/partial.h"
#include "catalog/placing.h"
#include "catalog/pull_meter.h"
#include "catalog/source.h"
#include "env/file.h"

namespace loam::catalog {
namespace {

Error wrong_hash(const Source& source, const crypto::Digest& is, const crypto::Digest& wanted) {
  return {ErrorCode::kCorrupt,
          format("pull {}: its SHA-256 is {}, not {}", source.shown, crypto::digest_hex(is),
                 crypto::digest_hex(wanted)),
          "compare with the SHA-256 that the model's publisher names; nothing was kept"};
}

/// What one pull works on.
struct Pull {
  Catalog& catalog;
  const PullRequest& request;
  const PullOptions& options;
  PullMeter& meter;
  Source source;
  std::string name;

  Result<FileHash> hash(const env::Path& path) {
    const env::Fd file = LOAM_TRY(env::open_read(path));
    const env::FileStamp stamp = LOAM_TRY(env::stamp(file));
    meter.update(PullPhase::kVerifying, 0, stamp.size);
    auto hashed = hash_file(file, path, [&](std::uint64_t done) {
      return meter.update(PullPhase::kVerifying, done, stamp.size);
    });
    if (!hashed && hashed.error().code == ErrorCode::kCancelled)
      return fail(ErrorCode::kCancelled, format("pull {}: stopped while verifying", source.shown),
                  "run the same pull again to continue");
    return hashed;
  }

  Result<Model> add(const env::Path& file, const crypto::Digest& sha256, Placing placing) {
    auto model = catalog.add(name, file, sha256, source.shown, request.licence, placing);
    if (!model)
      return fail(model.error().code, format("pull {}: {}", source.shown, model.error().message),
                  model.error().hint);
    meter.update(PullPhase::kDone, model->bytes, model->bytes);
    return model;
  }

  Result<Model> from_file();
  Result<Model> from_network();
  std::optional<Model> from_here(const crypto::Digest& sha256);
  Result<HubFile> find_on_hub();
  Result<Model> fetch(const HubFile& what, Partial& partial);
};

Result<Model> Pull::from_file() {
  const env::Path path = source.path;
  LOAM_TRY(env::stamp(path));  // says why, if it is not there
  if (!env::is_plain_file(path))
    return fail(ErrorCode::kInvalidArgument, format("pull {}: it is no file", source.shown));
  const FileHash hashed = LOAM_TRY(hash(path));
  if (request.sha256 && hashed.sha256 != *request.sha256)
    return std::unexpected(wrong_hash(source, hashed.sha256, *request.sha256));
  return add(path, hashed.sha256, request.link ? Placing::kStay : Placing::kCopy);
}

/// The model, if its content is on this machine already: under another name, or left in the folder
/// when the catalogue was lost. Whatever goes wrong here, the network has it too.
std::optional<Model> Pull::from_here(const crypto::Digest& sha256) {
  const env::Path ours = place_of(catalog.folder(), sha256);
  const auto models = catalog.list();
  if (!models) return std::nullopt;
  for (const Model& model : *models) {
    if (model.sha256 != sha256 || !catalog.open_verified(model)) continue;
    auto added = add(model.file, sha256, model.file == ours ? Placing::kMove : Placing::kStay);
    if (added) return *std::move(added);
  }
  if (!env::is_plain_file(ours)) return std::nullopt;
  const auto hashed = hash(ours);
  if (!hashed || hashed->sha256 != sha256) return std::nullopt;
  auto added = add(ours, sha256, Placing::kMove);
  return added ? std::optional(*std::move(added)) : std::nullopt;
}

Result<HubFile> Pull::find_on_hub() {
  for (int tries = 1;; ++tries) {
    auto found = ask_hub(source, [&] { return !meter.tick(); });
    const bool passing = !found && (found.error().code == ErrorCode::kUnavailable ||
                                    found.error().code == ErrorCode::kDeadlineExceeded);
    if (!passing || tries >= options.attempts_max || meter.stopped()) return found;
    wait_before_retry(tries - 1, options.retry_wait_ms, meter);
  }
}

Result<Model> Pull::from_network() {
  HubFile what{source.url, request.sha256, 0};
  if (source.kind == SourceKind::kHub) {
    what = LOAM_TRY(find_on_hub());
    if (what.sha256 && request.sha256 && what.sha256 != request.sha256)
      return std::unexpected(wrong_hash(source, *what.sha256, *request.sha256));
    if (!what.sha256) what.sha256 = request.sha256;
  }
  if (!what.sha256)
    return fail(ErrorCode::kInvalidArgument,
                format("pull {}: no SHA-256 to check the download by", source.shown),
                "give the one that the model's publisher names: --sha256 HEX");
  if (auto model = from_here(*what.sha256)) return *std::move(model);
  auto partial = Partial::open(options.partial_folder, source.url);
  if (!partial && partial.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kAlreadyExists,
                format("pull {}: it is being pulled already", source.shown),
                "wait until that pull ends");
  if (!partial) return std::unexpected(partial.error());
  auto model = fetch(what, *partial);
  // Kept is what a later pull can go on from.
  if (model || model.error().code == ErrorCode::kCorrupt || partial->bytes() == 0)
    partial->remove();
  return model;
}

Result<Model> Pull::fetch(const HubFile& what, Partial& partial) {
  Download download(partial, meter, options, what.url, source.shown, what.bytes);
  for (bool again = false;; again = true) {
    const bool continued = partial.bytes() > 0;
    meter.update(PullPhase::kConnecting, partial.bytes(), partial.total());
    LOAM_TRY(download.run());
    LOAM_TRY(partial.sync());
    const FileHash hashed = LOAM_TRY(hash(partial.path()));
    if (hashed.sha256 == *what.sha256) return add(partial.path(), hashed.sha256, Placing::kMove);
    // Pieces of two files, or of a disk that lost power: only a fresh download can tell.
    if (again || (!continued && !download.is_joined()))
      return std::unexpected(wrong_hash(source, hashed.sha256, *what.sha256));
    LOAM_TRY(partial.restart());
  }
}

}  // namespace

Result<Model> pull(Catalog& catalog, const PullRequest& request, const PullOptions& options,
                   env::Clock& clock, const std::function<bool(const PullProgress&)>& progress) {
  PullMeter meter(clock, progress);
  Pull pull{catalog, request, options, meter, {}, {}};
  pull.source = LOAM_TRY(parse_source(request.source, options.hub_url));
  pull.name = request.name.empty() ? LOAM_TRY(name_from_file(pull.source.file_name))
                                   : LOAM_TRY(checked_name(request.name));
  if (pull.source.kind == SourceKind::kFile) return pull.from_file();
  if (request.link)
    return fail(ErrorCode::kInvalidArgument,
                format("pull {}: only a file of this machine can be linked", pull.source.shown));
  if (options.offline)
    return fail(ErrorCode::kPermissionDenied,
                format("pull {}: this node is offline: it opens no connection", pull.source.shown),
                "start it without --offline, or pull a file of this machine");
  return pull.from_network();
}

}  // namespace loam::catalog
