#include "commons/copy_source.h"

#include <mutex>

#include "base/format.h"
#include "commons/follow_copy.h"
#include "env/file.h"
#include "ledger/tiles.h"

namespace loam::commons {
namespace {

class CopySource final : public ledger::LogSource {
 public:
  CopySource(env::Path folder, std::unique_ptr<ledger::Storage> storage)
      : folder_(std::move(folder)), storage_(std::move(storage)) {}

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    if (path == "checkpoint") return env::read_file(folder_ / path, bytes_max);
    const ledger::TileName tile = LOAM_TRY(ledger::parse_tile_path(path));
    if (tile.level != ledger::kEntries)
      return fail(ErrorCode::kNotFound, format("{}: the copy has no {}", name(), path));
    const std::scoped_lock one_at_a_time(mutex_);
    const auto entries = LOAM_TRY(storage_->entries(tile.index * ledger::kTileWidth, tile.width));
    if (entries.size() < tile.width)
      return fail(ErrorCode::kNotFound,
                  format("{}: the copy ends before {}: not all was read yet", name(), path));
    return std::string(as_text(ledger::encode_bundle(entries)));
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    const std::scoped_lock one_at_a_time(mutex_);
    auto body = LOAM_TRY(storage_->body(id));
    if (body) return *std::move(body);
    return fail(ErrorCode::kNotFound, format("body of record {}: not here", to_text(id)));
  }
  std::string name() const override { return folder_.string(); }

 private:
  const env::Path folder_;
  std::mutex mutex_;
  std::unique_ptr<ledger::Storage> storage_;  // under mutex_
};

class CopyFirst final : public ledger::LogSource {
 public:
  CopyFirst(std::unique_ptr<ledger::LogSource> copy, std::unique_ptr<ledger::LogSource> log)
      : copy_(std::move(copy)), log_(std::move(log)) {}

  Result<std::string> read(std::string_view path, std::uint64_t bytes_max) override {
    if (path != "checkpoint")
      if (auto kept = copy_->read(path, bytes_max)) return kept;
    return log_->read(path, bytes_max);
  }
  Result<ledger::SaltedBody> body(const ledger::RecordId& id) override {
    if (auto kept = copy_->body(id)) return kept;
    return log_->body(id);
  }
  std::string name() const override { return log_->name(); }

 private:
  const std::unique_ptr<ledger::LogSource> copy_, log_;
};

}  // namespace

std::unique_ptr<ledger::LogSource> copy_first(std::unique_ptr<ledger::LogSource> copy,
                                              std::unique_ptr<ledger::LogSource> log) {
  return std::make_unique<CopyFirst>(std::move(copy), std::move(log));
}

Result<std::unique_ptr<ledger::LogSource>> open_log_copy(const env::Path& folder,
                                                         const crypto::VerifierKey& key) {
  const env::Path copy = folder / "followed" / followed_id(key.key);
  // Opening a database would make one.
  for (const char* file : {"checkpoint", "records.db"})
    if (!env::stamp(copy / file))
      return fail(ErrorCode::kNotFound, format("there is no copy of log {} here", key.name));
  return std::make_unique<CopySource>(copy,
                                      LOAM_TRY(ledger::open_sqlite_storage(copy / "records.db")));
}

Result<std::optional<ledger::StoredRecord>> find_in_copy(const env::Path& folder,
                                                         const crypto::VerifierKey& key,
                                                         const ledger::RecordId& id) {
  const env::Path file = folder / "followed" / followed_id(key.key) / "records.db";
  if (!env::stamp(file)) return std::nullopt;  // opening it would make one
  return LOAM_TRY(ledger::open_sqlite_storage(file))->find(id);
}

}  // namespace loam::commons
