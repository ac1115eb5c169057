#include "ledger/keys.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "env/file.h"

namespace loam::ledger {
namespace {

constexpr std::string_view kFirstLine = "loam ed25519 seed 1\n";
constexpr std::uint64_t kFileBytesMax = 200;
constexpr unsigned kOthers = 077;

bool is_missing(const Result<crypto::SigningKey>& key) {
  return !key && key.error().code == ErrorCode::kNotFound;
}

}  // namespace

Result<> write_key(const env::Path& file, const crypto::SigningKey& key) {
  if (env::is_plain_file(file))
    return fail(ErrorCode::kAlreadyExists,
                format("key file {}: there is one already", file.string()));
  return env::write_file_atomic(file, format("{}{}\n", kFirstLine, to_hex(key.seed())), 0600);
}

Result<crypto::SigningKey> read_key(const env::Path& file) {
  const std::string content = LOAM_TRY(env::read_file(file, kFileBytesMax));
  if ((LOAM_TRY(env::permissions(file)) & kOthers) != 0)
    return fail(ErrorCode::kPermissionDenied,
                format("key file {}: other users may read it", file.string()),
                format("chmod 600 {}", file.string()));
  std::array<std::uint8_t, 32> seed{};
  const std::string_view text = content;
  const auto bytes =
      text.starts_with(kFirstLine) && text.ends_with('\n')
          ? from_hex(text.substr(kFirstLine.size(), text.size() - kFirstLine.size() - 1))
          : fail(ErrorCode::kCorrupt, "");
  if (!bytes || bytes->size() != seed.size())
    return fail(ErrorCode::kCorrupt, format("key file {}: it holds no key of ours", file.string()),
                "restore it from a backup: loam identity restore");
  std::ranges::copy(*bytes, seed.begin());
  return crypto::SigningKey::from_seed(seed);
}

Result<LogKeys> open_keys(const env::Path& folder) {
  const env::Path log_file = folder / "log.key", author_file = folder / "author.key";
  auto log = read_key(log_file);
  auto author = read_key(author_file);
  if (is_missing(log) && is_missing(author)) {
    LOAM_TRY(env::make_folder(folder));
    LogKeys made{crypto::SigningKey::generate(), crypto::SigningKey::generate()};
    LOAM_TRY(write_key(log_file, made.log));
    LOAM_TRY(write_key(author_file, made.author));
    return made;
  }
  if (is_missing(log) || is_missing(author))
    return fail(ErrorCode::kCorrupt,
                format("key file {}: is missing while the other one is there",
                       (is_missing(log) ? log_file : author_file).string()),
                "restore it from a backup: loam identity restore");
  if (!log) return std::unexpected(log.error());
  if (!author) return std::unexpected(author.error());
  return LogKeys{std::move(*log), std::move(*author)};
}

}  // namespace loam::ledger
