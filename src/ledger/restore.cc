#include "ledger/restore.h"

#include <algorithm>

#include "base/format.h"

namespace loam::ledger {
namespace {

std::unexpected<Error> other_history(const env::Path& folder, std::string_view why) {
  return fail(
      ErrorCode::kCorrupt,
      format("log {}: {}; nothing is signed until this is settled", folder.string(), why),
      "put back the database and the log's folder of one time; `loam ledger verify` compares "
      "them");
}

}  // namespace

Result<std::vector<Bytes>> read_entries(const env::Path& folder, std::uint64_t size,
                                        std::uint64_t first, std::uint64_t last) {
  std::vector<Bytes> out;
  for (std::uint64_t bundle = first / kTileWidth; bundle * kTileWidth < last; ++bundle) {
    const std::uint64_t from = bundle * kTileWidth;
    const std::uint64_t width = std::min(size - from, kTileWidth);
    const env::Path file = folder / tile_path(kEntries, bundle, width);
    const auto content = env::read_file(file, kBundleBytesMax);
    if (!content)
      return fail(ErrorCode::kCorrupt,
                  format("log file {}: {}", file.string(), content.error().message));
    auto decoded = decode_bundle(as_bytes(*content));
    if (!decoded || decoded->size() != width)
      return fail(ErrorCode::kCorrupt,
                  format("log file {}: it does not hold {} whole entries", file.string(), width));
    for (std::uint64_t i = 0; i < width; ++i)
      if (from + i >= first && from + i < last) out.push_back(std::move((*decoded)[i]));
  }
  return out;
}

Result<std::uint64_t> restore_from_tiles(Storage& storage, const env::Path& folder,
                                         const TileWriter& tiles, const LogRules& rules) {
  const std::uint64_t stored = LOAM_TRY(storage.size());
  const std::uint64_t common = std::min(stored, tiles.size());
  if (common > 0) {
    const auto theirs = LOAM_TRY(read_entries(folder, tiles.size(), common - 1, common));
    const auto ours = LOAM_TRY(storage.entries(common - 1, 1));
    if (ours != theirs)
      return other_history(folder, format("record {} is another one in the database", common - 1));
  }
  for (std::uint64_t at = common; at < tiles.size(); at += kTileWidth) {
    const std::uint64_t end = std::min(at + kTileWidth, tiles.size());
    const auto entries = LOAM_TRY(read_entries(folder, tiles.size(), at, end));
    auto added = storage.transaction([&]() -> Result<> {
      for (const Bytes& entry : entries) {
        const Record record = LOAM_TRY(verify_record(entry, rules.net));
        const Delta delta = LOAM_TRY(apply(storage, record, rules));
        static_cast<void>(LOAM_TRY(storage.append(record, delta)));
      }
      return {};
    });
    LOAM_TRY(std::move(added));
  }
  return tiles.size() - common;
}

Result<std::optional<crypto::Checkpoint>> kept_head(const env::Path& head_file,
                                                    const crypto::VerifierKey& key) {
  const auto note = env::read_file(head_file, kNoteBytesMax);
  if (!note && note.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!note) return std::unexpected(note.error());
  const auto body = crypto::open_note(*note, key);
  auto head = body ? crypto::parse_checkpoint(*body) : std::unexpected(body.error());
  if (!head || head->origin != key.name)
    return fail(ErrorCode::kCorrupt, format("{} is of another log", head_file.string()));
  return *std::move(head);
}

Result<> keep_head(const env::Path& head_file, const crypto::Checkpoint& checkpoint,
                   const crypto::SigningKey& key) {
  return env::write_file_atomic(head_file,
                                crypto::sign_note(checkpoint.text(), checkpoint.origin, key), 0600);
}

Result<> guard_head(const env::Path& head_file, const env::Path& folder, const TileWriter& tiles,
                    const crypto::VerifierKey& key) {
  const auto stop = [&](const std::string& why) {
    return fail(
        ErrorCode::kAlreadyExists,
        format("log {}: {}. Signing here could make two histories of one log", folder.string(),
               why),
        "loam ledger resume --from URL|DIR fetches what is missing from a mirror or an export; "
        "loam ledger resume --new-log starts another log");
  };
  const auto kept = kept_head(head_file, key);
  if (!kept && kept.error().code == ErrorCode::kCorrupt) return stop(kept.error().message);
  if (!kept) return std::unexpected(kept.error());
  if (!*kept) {
    if (tiles.size() == 0) return {};
    return stop(
        format("{} is missing, which says how many records were signed", head_file.string()));
  }
  const crypto::Checkpoint& head = **kept;
  if (head.size > tiles.size())
    return stop(format("it ends at {} records, and {} were signed", tiles.size(), head.size));
  if (std::ranges::find(head.extensions, kRestoredLine) != head.extensions.end())
    return stop("its keys came from a backup, and more may have been signed since");
  if (head.size == 0) return {};
  const auto root = LOAM_TRY(crypto::tree_root(head.size, tile_reader(folder, tiles.size())));
  if (root != head.root)
    return stop(format("its first {} records are not those that were signed", head.size));
  return {};
}

}  // namespace loam::ledger
