#include "catalog/file_hash.h"

#include "base/format.h"
#include "env/file.h"

namespace loam::catalog {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20;
constexpr std::uint64_t kPiecesPerReport = 8;

}  // namespace

Result<FileHash> hash_file(const env::Fd& file, const env::Path& path,
                           const std::function<bool(std::uint64_t)>& progress) {
  const env::FileStamp before = LOAM_TRY(env::stamp(file));
  crypto::Sha256 hash;
  Bytes piece(kPieceBytes);
  std::uint64_t done = 0;
  for (std::uint64_t pieces = 0;; ++pieces) {
    const std::size_t n = LOAM_TRY(env::read_at(file, path, done, piece));
    if (n == 0) break;
    hash.update(ByteView(piece).first(n));
    done += n;
    if (pieces % kPiecesPerReport == 0 && progress && !progress(done))
      return fail(ErrorCode::kCancelled, format("hash {}: stopped", path.string()));
  }
  const env::FileStamp after = LOAM_TRY(env::stamp(file));
  if (after != before || done != after.size)
    return fail(ErrorCode::kUnavailable,
                format("hash {}: the file was changed while it was read", path.string()),
                "wait until it is complete, then try again");
  return FileHash{hash.finish(), after};
}

Result<FileHash> hash_file(const env::Path& path) {
  const env::Fd file = LOAM_TRY(env::open_read(path));
  return hash_file(file, path);
}

}  // namespace loam::catalog
