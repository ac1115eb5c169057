#include "dataset/containers.h"

#include <algorithm>

#include "base/format.h"
#include "codec/json.h"
#include "dataset/parallel.h"
#include "dataset/parquet.h"
#include "dataset/zstd.h"
#include "env/file.h"
#include "env/public_folder.h"

namespace loam::dataset {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

Result<FileInfo> describe(const env::Path& folder, std::string name) {
  FileInfo out;
  const env::Path path = folder / name;
  const env::Fd file = LOAM_TRY(env::open_read(path));
  crypto::Sha256 hash;
  Bytes piece(kPieceBytes);
  for (;;) {
    const std::size_t read = LOAM_TRY(env::read_at(file, path, out.bytes, piece));
    if (read == 0) break;
    hash.update(ByteView(piece).first(read));
    out.bytes += read;
  }
  out.sha256 = hash.finish();
  out.name = std::move(name);
  return out;
}

}  // namespace

std::string parquet_file(View view) {
  return format("data/{}-00000-of-00001.parquet", view_name(view));
}

Result<std::vector<FileInfo>> write_containers(const env::Path& folder,
                                               const std::vector<FileInfo>& files,
                                               const std::optional<env::Path>& duckdb,
                                               std::size_t threads) {
  const auto compress = [&](const std::string& name) -> Result<FileInfo> {
    LOAM_TRY(compress_file(folder / name, folder / (name + ".zst")));
    return describe(folder, name + ".zst");
  };
  std::vector<Result<FileInfo>> compressed(kViews.size(), fail(ErrorCode::kInternal, ""));
  in_parallel(kViews.size(), threads,
              [&](std::size_t i) { compressed[i] = compress(view_file(kViews[i])); });
  std::vector<FileInfo> out = LOAM_TRY(all_of(std::move(compressed)));
  for (const View view : kViews) {  // on threads of its own
    const std::string name = view_file(view);
    const auto info = std::ranges::find(files, name, &FileInfo::name);
    if (!duckdb || info == files.end() || info->lines == 0) continue;
    LOAM_TRY(env::make_public_folder((folder / parquet_file(view)).parent_path()));
    LOAM_TRY(write_parquet(*duckdb, folder / name, folder / parquet_file(view), columns_of(view)));
    out.push_back(LOAM_TRY(describe(folder, parquet_file(view))));
  }
  return out;
}

std::string containers_text(const std::vector<FileInfo>& containers) {
  codec::Array files;
  for (const FileInfo& file : containers)
    files.push_back(codec::Object{
        {"name", file.name}, {"bytes", file.bytes}, {"sha256", crypto::digest_hex(file.sha256)}});
  return codec::to_json(codec::Object{{"files", std::move(files)}}, 2) + "\n";
}

}  // namespace loam::dataset
