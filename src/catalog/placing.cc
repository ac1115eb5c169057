#include "catalog/placing.h"

#include <filesystem>
#include <system_error>

#include "base/format.h"
#include "base/log.h"
#include "base/parse.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::catalog {
namespace {

constexpr const char* kLeftover = ".incomplete-";  // between the place and a random end
constexpr std::size_t kPieceBytes = 1U << 20;

Result<> check_room(const env::Path& folder, const env::Path& file, std::uint64_t bytes) {
  const std::uint64_t room = LOAM_TRY(env::free_bytes(folder));
  if (bytes <= room) return {};
  return fail(ErrorCode::kResourceExhausted,
              format("copy {} to {}: it needs {}, and {} is free", file.string(), folder.string(),
                     human_bytes(bytes), human_bytes(room)),
              "free some disk space, or link the file instead of copying it");
}

/// Copies into `to`, which must not exist. What was read is hashed on the way.
Result<> copy_hashed(const env::Path& from, const env::Path& to, const crypto::Digest& sha256) {
  const env::Fd in = LOAM_TRY(env::open_read(from));
  const env::Fd out = LOAM_TRY(env::create_file(to, 0600));
  crypto::Sha256 hash;
  Bytes piece(kPieceBytes);
  for (std::uint64_t done = 0;;) {
    const std::size_t n = LOAM_TRY(env::read_at(in, from, done, piece));
    if (n == 0) break;
    const ByteView bytes = ByteView(piece).first(n);
    hash.update(bytes);
    LOAM_TRY(env::write_all(out, to, as_text(bytes)));
    done += n;
  }
  if (hash.finish() != sha256)
    return fail(ErrorCode::kCorrupt,
                format("copy {}: the file was changed meanwhile", from.string()),
                "wait until it is complete, then try again");
  return env::sync_file(out, to);
}

Result<> copy_file(const env::Path& folder, const env::Path& from, const env::Path& to,
                   const crypto::Digest& sha256) {
  const env::FileStamp stamp = LOAM_TRY(env::stamp(from));
  LOAM_TRY(check_room(folder, from, stamp.size));
  auto done = copy_hashed(from, to, sha256);
  if (!done && done.error().code != ErrorCode::kAlreadyExists) {
    const auto removed = env::remove_file(to);  // may never have been made
    static_cast<void>(removed);
  }
  return done;
}

Result<> sync_content(const env::Path& path) {
  const env::Fd file = LOAM_TRY(env::open_read(path));
  return env::sync_file(file, path);
}

}  // namespace

Result<env::Path> absolute_path(const env::Path& path) {
  std::error_code error;
  env::Path out = std::filesystem::absolute(path, error).lexically_normal();
  if (error) return std::unexpected(env::system_error("find", path, error.value()));
  return out.has_filename() ? out : out.parent_path();  // no '/' at the end
}

env::Path place_of(const env::Path& folder, const crypto::Digest& sha256) {
  return folder / (crypto::digest_hex(sha256) + ".gguf");
}

Result<env::Path> place_file(const env::Path& folder, const env::Path& file,
                             const crypto::Digest& sha256, Placing placing) {
  env::Path from = LOAM_TRY(absolute_path(file));
  if (placing == Placing::kStay) return from;
  env::Path to = place_of(folder, sha256);
  if (env::is_same_file(from, to)) {
    // It has both names already: only the old one may have to go.
    if (placing == Placing::kMove && from != to) LOAM_TRY(env::remove_file(from));
    return to;
  }
  if (placing == Placing::kMove) {
    LOAM_TRY(sync_content(from));
    if (env::rename_file(from, to)) return to;  // else: another file system
  }
  const env::Path beside = to.string() + env::random_id(kLeftover);
  const bool linked = placing == Placing::kCopy && env::link_file(from, beside).has_value();
  if (!linked) LOAM_TRY(copy_file(folder, from, beside, sha256));
  LOAM_TRY(env::rename_file(beside, to));
  if (placing == Placing::kMove) LOAM_TRY(env::remove_file(from));
  return to;
}

void remove_leftovers(const env::Path& folder) {
  const auto names = env::names_in(folder);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.contains(kLeftover)) continue;
    if (const auto removed = env::remove_file(folder / name); !removed)
      log::warning("catalog", "an incomplete copy stays: {}", removed.error().message);
  }
}

}  // namespace loam::catalog
