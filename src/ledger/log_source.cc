#include "ledger/log_source.h"

#include <algorithm>
#include <mutex>

#include "base/format.h"
#include "codec/json.h"

namespace loam::ledger {
namespace {

Result<SaltedBody> bad_body(std::string_view why) {
  return fail(ErrorCode::kCorrupt, format("a body as it is served: {}", why));
}

class FolderSource : public LogSource {
 public:
  explicit FolderSource(env::Path folder) : folder_(std::move(folder)) {}

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    return env::read_file(folder_ / path, bytes_max);
  }
  Result<SaltedBody> body(const RecordId& id) override {
    const std::string path = "body/" + to_text(id);
    auto parsed = parse_body_json(LOAM_TRY(read(path, kBodyJsonBytesMax)));
    if (!parsed)
      return fail(parsed.error().code,
                  format("{}: {}", (folder_ / path).string(), parsed.error().message));
    return parsed;
  }
  std::string name() const override { return folder_.string(); }

 private:
  env::Path folder_;
};

class OwnSource : public FolderSource {
 public:
  OwnSource(env::Path folder, Storage& storage)
      : FolderSource(std::move(folder)), storage_(storage) {}

  Result<SaltedBody> body(const RecordId& id) override {
    const std::scoped_lock one_at_a_time(mutex_);
    const auto stored = LOAM_TRY(storage_.find(id));
    std::optional<SaltedBody> body;
    if (stored && !stored->blocked) body = LOAM_TRY(storage_.body(id));
    if (!body)
      return fail(ErrorCode::kNotFound, format("body of record {}: not here", to_text(id)));
    return *std::move(body);
  }

 private:
  std::mutex mutex_;
  Storage& storage_;
};

}  // namespace

std::string body_json(const SaltedBody& body) {
  return codec::to_json(
      codec::Object{{"salt", to_base64(body.salt)}, {"body", to_base64(body.body)}});
}

Result<SaltedBody> parse_body_json(std::string_view text) {
  const auto value = codec::parse_json(text, {.bytes_max = kBodyJsonBytesMax, .depth_max = 2});
  if (!value) return bad_body(value.error().message);
  const codec::Value* salt_member = value->find("salt");
  const codec::Value* body_member = value->find("body");
  const std::string* salt_text = salt_member == nullptr ? nullptr : salt_member->as_string();
  const std::string* body_text = body_member == nullptr ? nullptr : body_member->as_string();
  if (salt_text == nullptr || body_text == nullptr || value->as_object()->size() != 2)
    return bad_body("not an object of \"salt\" and \"body\"");
  const auto salt = from_base64(*salt_text);
  auto body = from_base64(*body_text);
  SaltedBody out;
  if (!salt || !body || salt->size() != out.salt.size())
    return bad_body("not base64, or too short");
  if (body->size() > kBodyBytesMax) return bad_body("larger than 1 MiB");
  std::ranges::copy(*salt, out.salt.begin());
  out.body = *std::move(body);
  return out;
}

std::unique_ptr<LogSource> open_log_folder(env::Path folder) {
  return std::make_unique<FolderSource>(std::move(folder));
}

std::unique_ptr<LogSource> open_own_log(env::Path folder, Storage& storage) {
  return std::make_unique<OwnSource>(std::move(folder), storage);
}

Result<std::vector<Bytes>> read_bundle(LogSource& source, std::uint64_t bundle,
                                       std::uint64_t width) {
  std::string path = tile_path(kEntries, bundle, width);
  auto content = source.read(path, kBundleBytesMax);
  if (!content && content.error().code == ErrorCode::kNotFound && width < kTileWidth) {
    path = tile_path(kEntries, bundle);
    content = source.read(path, kBundleBytesMax);
  }
  if (!content) return std::unexpected(std::move(content).error());
  auto entries = decode_bundle(as_bytes(*content));
  if (!entries || entries->size() < width)
    return fail(ErrorCode::kCorrupt,
                format("{}: {} does not hold {} whole entries", source.name(), path, width));
  entries->resize(width);
  return entries;
}

Result<SignedCheckpoint> read_checkpoint(LogSource& source, const crypto::VerifierKey& key) {
  SignedCheckpoint out;
  out.note = LOAM_TRY(source.read("checkpoint", kNoteBytesMax));
  const auto body = crypto::open_note(out.note, key);
  auto checkpoint = body ? crypto::parse_checkpoint(*body) : std::unexpected(body.error());
  if (!checkpoint)
    return fail(ErrorCode::kCorrupt,
                format("{}: checkpoint: {}", source.name(), checkpoint.error().message),
                "is this the log whose key was given?");
  if (checkpoint->origin != key.name)
    return fail(ErrorCode::kCorrupt,
                format("{}: checkpoint of another log, {}", source.name(), checkpoint->origin));
  out.checkpoint = *std::move(checkpoint);
  return out;
}

}  // namespace loam::ledger
