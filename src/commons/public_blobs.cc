#include "commons/public_blobs.h"

#include <utility>

#include "base/format.h"
#include "env/file.h"
#include "env/random.h"

namespace loam::commons {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20;
constexpr const char* kUnfinished = "new-";  // no digest has this beginning
constexpr unsigned kMode = 0444;             // its name says what is in it

/// Gives the file to `on_piece` from its beginning to its end. @return the digest of all of it.
template <class OnPiece>
Result<crypto::Digest> read_all(const env::Fd& file, const env::Path& path, OnPiece on_piece) {
  crypto::Sha256 hash;
  Bytes piece(kPieceBytes);
  for (std::uint64_t done = 0;;) {
    const std::size_t n = LOAM_TRY(env::read_at(file, path, done, piece));
    if (n == 0) return hash.finish();
    const ByteView bytes = ByteView(piece).first(n);
    hash.update(bytes);
    LOAM_TRY(on_piece(bytes));
    done += n;
  }
}

/// The digest of what was copied.
Result<crypto::Digest> copy_in(const env::Path& from, const env::Path& to) {
  const env::Fd source = LOAM_TRY(env::open_read(from));
  const env::Fd target = LOAM_TRY(env::create_file(to, kMode));
  const auto digest = LOAM_TRY(read_all(
      source, from, [&](ByteView bytes) { return env::write_all(target, to, as_text(bytes)); }));
  LOAM_TRY(env::sync_file(target, to));
  return digest;
}

}  // namespace

Result<PublicBlobs> PublicBlobs::open(const env::Path& folder) {
  LOAM_TRY(env::make_folder(folder));
  for (const std::string& name : LOAM_TRY(env::names_in(folder)))
    if (name.starts_with(kUnfinished)) LOAM_TRY(env::remove_file(folder / name));
  return PublicBlobs(folder);
}

Result<crypto::Digest> PublicBlobs::add(const env::Path& file) {
  const env::Path unfinished = folder_ / env::random_id(kUnfinished);
  auto digest = copy_in(file, unfinished);
  if (digest)
    if (auto named = env::rename_file(unfinished, folder_ / crypto::digest_hex(*digest)); !named)
      digest = std::unexpected(named.error());
  if (!digest) static_cast<void>(env::remove_file(unfinished));
  return digest;
}

Result<PublicBlobs::Blob> PublicBlobs::find(const crypto::Digest& digest) const {
  const env::Path path = folder_ / crypto::digest_hex(digest);
  auto file = env::open_read(path);
  if (!file && file.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound,
                format("file {}: not public on this node", crypto::digest_hex(digest)));
  auto opened = std::make_shared<const env::Fd>(LOAM_TRY(std::move(file)));
  const env::FileStamp stamp = LOAM_TRY(env::stamp(*opened));
  Blob blob{std::move(opened), path, stamp.size};
  LOAM_TRY(check_whole(blob, digest, stamp));
  return blob;
}

Result<> PublicBlobs::check_whole(const Blob& blob, const crypto::Digest& digest,
                                  const env::FileStamp& stamp) const {
  {
    const std::scoped_lock lock(whole_->mutex);
    const auto known = whole_->stamps.find(digest);
    if (known != whole_->stamps.end() && known->second == stamp) return {};
  }
  const auto found =
      LOAM_TRY(read_all(*blob.file, blob.path, [](ByteView) -> Result<> { return {}; }));
  if (found != digest)
    return fail(ErrorCode::kCorrupt,
                format("public file {}: damaged, its content is not what its name says",
                       blob.path.string()),
                "delete it, and publish it again from where it came from");
  const std::scoped_lock lock(whole_->mutex);
  whole_->stamps[digest] = stamp;
  return {};
}

}  // namespace loam::commons
